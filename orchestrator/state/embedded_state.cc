#include "orchestrator/state/embedded_state.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <random>
#include <thread>
#include <utility>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "orchestrator/state/embedded_watch.h"

namespace shoal {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kTtlMax{std::chrono::hours(24 * 365)};
constexpr std::size_t kLeasesMax = 100'000;
constexpr std::chrono::seconds kEraseRetry{1};  // After a failure to erase what a lease held.

Result<void> holds(const EmbeddedStore::View& newest, const Condition& condition) {
  const auto entry = newest.get(condition.key);
  if (!entry) return tl::unexpected(entry.error());
  const bool created = condition.field == Condition::Field::created;
  Revision revision = 0;
  if (*entry) revision = created ? (*entry)->entry.created : (*entry)->entry.modified;
  if (revision == condition.revision) return {};
  return fail(Errc::conflict,
              fmt::format("`{}` was {} at revision {}, not {}", condition.key,
                          created ? "created" : "modified", revision, condition.revision));
}

}  // namespace

/// How a write goes: under `order_` it is decided, written and given its revision, and becomes
/// visible; behind it, it waits for the sync that makes it durable, which all that wait share; then
/// it is published to those who follow. Reads that meet what is not durable wait for the same sync,
/// so that no power failure takes back what somebody was told.
///
/// Locks are taken in this order: order_, then the lease table's or the hub's; sync_ by itself.
struct EmbeddedState::Impl {
  explicit Impl(std::unique_ptr<EmbeddedStore> opened)
      : store_(std::move(opened)), hub_(*store_), durable_revision_(store_->revision()) {}

  Result<void> load_leases() {
    const auto leases = store_->leases();
    if (!leases) return tl::unexpected(leases.error());
    const auto keys = store_->leased_keys();
    if (!keys) return tl::unexpected(keys.error());
    const auto now = Clock::now();
    for (const auto& [id, ttl] : *leases) static_cast<void>(leases_.add(id, ttl, now));
    for (const auto& [key, id] : *keys) leases_.attach(id, key);
    return {};
  }

  using Leases = std::vector<std::pair<LeaseId, std::optional<std::chrono::seconds>>>;

  Result<Revision> transact(const Decide& decide, Leases lease_changes = {}) {
    std::uint64_t ticket = 0;
    Result<Revision> result;
    {
      const std::lock_guard lock(order_);
      result = write(decide, std::move(lease_changes));
      ticket = ticket_;
    }
    // An answer that says no also tells what the state is.
    const auto synced = sync(ticket);
    if (!synced) return tl::unexpected(synced.error());
    return result;
  }

  /// Under `order_`.
  Result<Revision> write(const Decide& decide, Leases lease_changes) {
    const auto newest = store_->latest();
    const auto writes = decide(newest);
    if (!writes) return tl::unexpected(writes.error());

    EmbeddedStore::Batch batch;
    batch.leases = std::move(lease_changes);
    const Revision revision = store_->revision() + 1;
    const auto now = Clock::now();
    for (const auto& write : *writes) {
      if (write.value && write.lease != 0 && !leases_.alive(write.lease, now)) {
        return fail(Errc::lease_lost, fmt::format("the lease {} of `{}` has ended or never was",
                                                  write.lease, write.key));
      }
      auto before = newest.get(write.key);
      if (!before) return tl::unexpected(before.error());
      if (!write.value && !*before) continue;
      RecordedChange change{write.key, std::move(*before), std::nullopt};
      if (write.value) {
        const auto& old = change.before;
        change.after = VersionedEntry{
            {write.key, *write.value, old ? old->entry.created : revision, revision, write.lease},
            old ? old->version + 1 : 1};
      }
      batch.commit.changes.push_back(std::move(change));
    }
    if (!batch.commit.changes.empty()) batch.commit.revision = revision;
    if (batch.commit.changes.empty() && batch.leases.empty()) return store_->revision();

    const auto applied = store_->apply(batch);
    if (!applied) return tl::unexpected(applied.error());
    ++ticket_;
    if (batch.commit.changes.empty()) return store_->revision();
    for (const auto& change : batch.commit.changes) {
      if (change.before) leases_.detach(change.before->entry.lease, change.key);
      if (change.after) leases_.attach(change.after->entry.lease, change.key);
    }
    unpublished_.push_back(std::make_shared<const RecordedCommit>(std::move(batch.commit)));
    return revision;
  }

  /// Returns when what was written up to that ticket is durable.
  Result<void> sync(std::uint64_t ticket) {
    std::unique_lock lock(sync_);
    while (durable_ticket_ < ticket) {
      if (syncing_) {
        synced_.wait(lock);
        continue;
      }
      syncing_ = true;
      lock.unlock();
      std::uint64_t applied;
      std::deque<std::shared_ptr<const RecordedCommit>> written;
      {
        const std::lock_guard order(order_);
        applied = ticket_;
        written.swap(unpublished_);
      }
      const auto synced = store_->sync();
      if (synced) {
        for (const auto& commit : written) hub_.publish(commit);
      } else {
        const std::lock_guard order(order_);
        unpublished_.insert(unpublished_.begin(), written.begin(), written.end());
      }
      lock.lock();
      syncing_ = false;
      synced_.notify_all();
      if (!synced) {
        return fail(Errc::outcome_unknown,
                    "the state cannot tell whether a write is durable: " + synced.error().message);
      }
      durable_ticket_ = applied;
      if (!written.empty()) durable_revision_ = written.back()->revision;
    }
    return {};
  }

  /// Returns when that revision, which was read, is durable.
  Result<void> settle(Revision revision) {
    if (revision <= durable_revision_) return {};
    std::uint64_t ticket;
    {
      const std::lock_guard lock(order_);
      ticket = ticket_;
    }
    return sync(ticket);
  }

  Result<EmbeddedStore::View> settled_view() {
    const auto view = store_->snapshot();
    if (!view) return view;
    const auto settled = settle(view->revision());
    if (!settled) return tl::unexpected(settled.error());
    return view;
  }

  // Leases.

  Result<void> grant(LeaseId id, std::chrono::seconds ttl) {
    if (ttl <= std::chrono::seconds::zero() || ttl > kTtlMax) {
      return fail(Errc::bad_request, fmt::format("a lease of {} s; from 1 to {} are possible",
                                                 ttl.count(), kTtlMax.count()));
    }
    if (leases_.size() >= kLeasesMax) {
      return fail(Errc::too_many,
                  fmt::format("there are {} leases, as many as may be", kLeasesMax));
    }
    if (!leases_.add(id, ttl, Clock::now())) {
      return fail(Errc::conflict, fmt::format("there is a lease {} already", id));
    }
    const auto nothing = [](const EmbeddedStore::View&) -> Result<std::vector<StateWrite>> {
      return std::vector<StateWrite>();
    };
    const auto written = transact(nothing, {{id, ttl}});
    if (!written) {
      leases_.forget(id);
      return tl::unexpected(written.error());
    }
    static_cast<void>(leases_.keep(id, Clock::now()));  // The time of the disk is not the holder's.
    wake_reaper();
    return {};
  }

  /// Erases what a lease that ended holds, and then the lease.
  Result<void> bury(LeaseId id) {
    for (;;) {
      const auto keys = leases_.keys(id);
      const bool last = keys.size() <= kStateWritesMax;
      const auto erase = [&](const EmbeddedStore::View& newest) -> Result<std::vector<StateWrite>> {
        std::vector<StateWrite> writes;
        for (std::size_t i = 0; i < std::min(keys.size(), kStateWritesMax); ++i) {
          const auto entry = newest.get(keys[i]);
          if (!entry) return tl::unexpected(entry.error());
          if (*entry && (*entry)->entry.lease == id) writes.push_back({keys[i], std::nullopt, 0});
        }
        return writes;
      };
      Leases forgotten;
      if (last) forgotten.emplace_back(id, std::nullopt);
      const auto erased = transact(erase, std::move(forgotten));
      if (!erased) return tl::unexpected(erased.error());
      if (!last) continue;
      leases_.forget(id);
      return {};
    }
  }

  Result<void> revoke(LeaseId id) {
    {
      // No write that looked at the lease before is still on its way to name it.
      const std::lock_guard lock(order_);
      if (!leases_.end(id)) return {};
    }
    return bury(id);
  }

  void wake_reaper() {
    const std::lock_guard lock(reaper_mutex_);
    reaper_woken_ = true;
    reaper_wake_.notify_all();
  }

  void reap() {
    std::unique_lock lock(reaper_mutex_);
    bool failed = false;
    while (!stop_) {
      const auto next = leases_.next_end();
      const auto woken = [&] { return stop_ || reaper_woken_; };
      const auto retry = Clock::now() + kEraseRetry;
      if (failed) {
        reaper_wake_.wait_until(lock, next ? std::min(*next, retry) : retry, woken);
      } else if (next) {
        reaper_wake_.wait_until(lock, *next, woken);
      } else {
        reaper_wake_.wait(lock, woken);
      }
      reaper_woken_ = false;
      if (stop_) return;
      lock.unlock();
      failed = !bury_due();
      lock.lock();
    }
  }

  bool bury_due() {
    {
      const std::lock_guard lock(order_);
      leases_.end_due(Clock::now());
    }
    bool all = true;
    for (const auto id : leases_.ended()) {
      const auto buried = bury(id);
      if (buried) continue;
      spdlog::warn("lease not ended lease={} error={}", id, buried.error().message);
      all = false;
    }
    return all;
  }

  void start() {
    reaper_ = std::thread([this] { reap(); });
  }

  ~Impl() {
    if (!reaper_.joinable()) return;
    {
      const std::lock_guard lock(reaper_mutex_);
      stop_ = true;
      reaper_wake_.notify_all();
    }
    reaper_.join();
  }

  std::unique_ptr<EmbeddedStore> store_;
  StateHub hub_;
  LeaseTable leases_;

  std::mutex order_;
  std::atomic<bool> frozen_{false};  // Written under order_.
  std::string frozen_except_;
  std::uint64_t ticket_ = 0;  // The newest write.
  std::deque<std::shared_ptr<const RecordedCommit>> unpublished_;

  std::mutex sync_;
  std::condition_variable synced_;
  bool syncing_ = false;
  std::uint64_t durable_ticket_ = 0;
  std::atomic<Revision> durable_revision_;

  std::mutex reaper_mutex_;
  std::condition_variable reaper_wake_;
  bool reaper_woken_ = false;
  bool stop_ = false;
  std::thread reaper_;
};

namespace {

tl::unexpected<Error> frozen() {
  return fail(Errc::unavailable, "the state moves to another place; try again in a moment");
}

}  // namespace

EmbeddedState::EmbeddedState(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
EmbeddedState::~EmbeddedState() = default;

Result<std::unique_ptr<EmbeddedState>> EmbeddedState::open(const EmbeddedConfig& config) {
  auto store = EmbeddedStore::open(config.directory, config.history);
  if (!store) return tl::unexpected(store.error());
  auto impl = std::make_unique<Impl>(std::move(*store));
  const auto loaded = impl->load_leases();
  if (!loaded) return tl::unexpected(loaded.error());
  impl->start();
  return std::unique_ptr<EmbeddedState>(new EmbeddedState(std::move(impl)));
}

Result<std::optional<StateEntry>> EmbeddedState::get(const std::string& key) {
  const auto view = impl_->settled_view();
  if (!view) return tl::unexpected(view.error());
  auto entry = view->get(key);
  if (!entry) return tl::unexpected(entry.error());
  if (!*entry) return std::nullopt;
  return std::move((*entry)->entry);
}

Result<StateList> EmbeddedState::list(const std::string& prefix, const std::string& after,
                                      std::size_t limit) {
  StateList list;
  auto keys = KeyRange::prefix(prefix);
  if (after >= keys.first) keys.first = after + '\0';  // The next key there can be.
  RangeOptions options;
  options.limit = std::max<std::size_t>(limit, 1);
  auto found = range(keys, options);
  if (!found) return tl::unexpected(found.error());
  list.revision = found->revision;
  list.more = found->more;
  for (auto& entry : found->entries) list.entries.push_back(std::move(entry.entry));
  return list;
}

Result<EntryRange> EmbeddedState::range(const KeyRange& range, const RangeOptions& options) {
  const auto view = impl_->settled_view();
  if (!view) return tl::unexpected(view.error());
  return view->range(range, options);
}

Result<Revision> EmbeddedState::commit(const Transaction& transaction) {
  const auto checked = check(transaction);
  if (!checked) return tl::unexpected(checked.error());
  return transact([&](const EmbeddedStore::View& newest) -> Result<std::vector<StateWrite>> {
    for (const auto& condition : transaction.conditions) {
      const auto held = holds(newest, condition);
      if (!held) return tl::unexpected(held.error());
    }
    return transaction.writes;
  });
}

Result<Revision> EmbeddedState::transact(const Decide& decide) {
  // Asked under the order of all writes: after freeze() has returned, none slips through.
  return impl_->transact([&](const EmbeddedStore::View& newest) -> Result<std::vector<StateWrite>> {
    auto writes = decide(newest);
    if (!impl_->frozen_ || !writes) return writes;
    for (const auto& write : *writes) {
      if (write.key != impl_->frozen_except_) return frozen();
    }
    return writes;
  });
}

void EmbeddedState::freeze(bool on, std::string except) {
  const std::lock_guard lock(impl_->order_);
  impl_->frozen_ = on;
  impl_->frozen_except_ = std::move(except);
}

std::unique_ptr<StateWatch> EmbeddedState::watch(const std::string& prefix, Sink sink) {
  return std::make_unique<EmbeddedWatch>(*this, prefix, std::move(sink));
}

std::unique_ptr<StateFollower> EmbeddedState::follow(KeyRange range, Revision after,
                                                     std::function<void()> wake) {
  return impl_->hub_.follow(std::move(range), after, std::move(wake));
}

Result<LeaseId> EmbeddedState::grant(std::chrono::seconds ttl) {
  std::random_device device;
  for (;;) {
    const std::uint64_t bits = std::uint64_t{device()} << 32 | device();
    const LeaseId id = bits >> 1 | 1;  // Positive for those who read it as signed.
    const auto granted = grant_as(id, ttl);
    if (granted) return id;
    if (granted.error().code != Errc::conflict) return tl::unexpected(granted.error());
  }
}

Result<void> EmbeddedState::grant_as(LeaseId lease, std::chrono::seconds ttl) {
  if (impl_->frozen_) return frozen();
  return impl_->grant(lease, ttl);
}

Result<void> EmbeddedState::keep(LeaseId lease) {
  if (keep_now(lease)) return {};
  return fail(Errc::lease_lost, fmt::format("the lease {} has ended", lease));
}

std::optional<std::chrono::seconds> EmbeddedState::keep_now(LeaseId lease) {
  return impl_->leases_.keep(lease, Clock::now());
}

Result<void> EmbeddedState::revoke(LeaseId lease) { return impl_->revoke(lease); }

std::optional<LeaseTable::Facts> EmbeddedState::lease_facts(LeaseId lease) const {
  return impl_->leases_.facts(lease, Clock::now());
}

Revision EmbeddedState::revision() const { return impl_->durable_revision_; }
Revision EmbeddedState::compacted() const { return impl_->store_->compacted(); }
std::uint64_t EmbeddedState::id() const { return impl_->store_->id(); }
std::uint64_t EmbeddedState::disk_bytes() const { return impl_->store_->disk_bytes(); }

std::string EmbeddedState::description() const { return "embedded"; }

}  // namespace shoal

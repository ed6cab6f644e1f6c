#include "orchestrator/membership/membership.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <random>
#include <thread>
#include <utility>

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <nlohmann/json.hpp>

#include "orchestrator/keys.h"
#include "orchestrator/membership/roster.h"
#include "orchestrator/membership/subscribers.h"
#include "orchestrator/trust/private_file.h"
#include "storage/clock.h"

namespace shoal {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t kBeatsPerSecondMax = 500;
constexpr double kBeatLatenessMax = 0.3;
constexpr milliseconds kRetryMin{500};
// A node's record is written by the node and, seldom, by people.
constexpr int kEnrollRoundsMax = 10;

/// Whether somebody who holds a lease of `granted` should take another one. Not for every node that
/// comes or goes near a boundary.
bool is_outgrown(seconds granted, seconds wanted) {
  return wanted > granted || wanted * 5 < granted * 4;
}

}  // namespace

seconds lease_ttl(std::size_t members, seconds ttl_min) {
  const auto needed = (3 * members + kBeatsPerSecondMax - 1) / kBeatsPerSecondMax;
  return std::max(ttl_min, seconds(needed));
}

struct Membership::Impl {
  Impl(State& state_in, Member self_in, MembershipConfig config_in)
      : state(state_in),
        config(std::move(config_in)),
        id(self_in.id),
        self(std::move(self_in)),
        roster(recall()) {
    boot = fmt::format("{:016x}", (std::uint64_t{random()} << 32) | random());
  }

  [[nodiscard]] Roster recall() const;
  void remember();
  void run();
  [[nodiscard]] Result<void> beat();
  [[nodiscard]] Result<void> enroll();
  [[nodiscard]] Result<void> write_records(LeaseId fresh);
  [[nodiscard]] Result<void> commit_records(LeaseId fresh, bool& again);
  void leave();
  [[nodiscard]] bool is_removed() const {
    const std::lock_guard lock(mutex);
    return removed;
  }
  void report(const Result<void>& result);
  void apply(const StateEvent& event);
  [[nodiscard]] std::shared_ptr<const PeerSet> current_peers();
  [[nodiscard]] milliseconds beat_delay();

  State& state;
  const MembershipConfig config;
  const std::string id;
  std::string boot;  // Another one after each start of the process.
  std::random_device random;

  // Of the beating thread alone (and of stop(), once that has ended).
  seconds ttl{0};
  bool failing = false;
  milliseconds retry = kRetryMin;

  mutable std::mutex mutex;  // Guards what is below.
  mutable std::condition_variable changed;
  Member self;
  Roster roster;
  std::shared_ptr<const PeerSet> peers;  // Null: not put together yet.
  LeaseId lease = 0;
  bool enroll_wanted = true;
  bool listed = false;     // The watch has shown both records of this node.
  bool removed = false;    // For ever.
  bool remembered = true;  // The file says what the roster says.
  bool stopping = false;
  bool stopped = false;

  Subscribers subscribers;
  std::unique_ptr<StateWatch> watch;
  std::thread thread;
};

/// Under the mutex. Made when somebody asks: when a thousand nodes start at once, each hears of a
/// thousand changes.
std::shared_ptr<const PeerSet> Membership::Impl::current_peers() {
  if (!peers) peers = removed ? Roster().peers(self) : roster.peers(self);
  return peers;
}

void Membership::Impl::apply(const StateEvent& event) {
  bool differs = false;
  {
    const std::lock_guard lock(mutex);
    differs = roster.apply(event);
    remembered = false;
    // Somebody erased what is ours, or the state is another one now. What this watch has not heard
    // of yet looks the same: then it is written once more, which does no harm.
    const bool missing = !roster.is_live(id) || roster.members().count(id) == 0;
    if (missing && listed) enroll_wanted = true;
    listed = !missing;
    removed = removed || roster.is_removed(id);
    if (differs) peers = nullptr;
  }
  changed.notify_all();
  if (differs) subscribers.notify();
}

milliseconds Membership::Impl::beat_delay() {
  const double late = kBeatLatenessMax * random() / static_cast<double>(random.max());
  const auto third = std::chrono::duration<double>(ttl) / 3;
  return std::chrono::duration_cast<milliseconds>(third * (1 + late));
}

Roster Membership::Impl::recall() const {
  if (config.memory.empty()) return {};
  const auto text = read_private_file(config.memory);
  if (!text && text.error().code == Errc::member_unknown) return {};
  auto known = text ? Roster::read(*text) : std::nullopt;
  if (known) return *std::move(known);
  spdlog::warn("members that were known are forgotten file={} error=\"{}\"", config.memory.string(),
               text ? "not a list of members" : text.error().message);
  return {};
}

/// At most once a beat, however much changes.
void Membership::Impl::remember() {
  std::string text;
  {
    const std::lock_guard lock(mutex);
    if (config.memory.empty() || std::exchange(remembered, true)) return;
    text = roster.write();
  }
  if (const auto written = write_private_file(config.memory, text); !written) {
    spdlog::warn("members not remembered error=\"{}\"", written.error().message);
  }
}

void Membership::Impl::run() {
  for (;;) {
    const auto result = beat();
    if (result || !is_removed()) report(result);
    remember();
    std::unique_lock lock(mutex);
    auto delay = result ? beat_delay() : std::exchange(retry, retry * 2);
    if (result) retry = kRetryMin;
    if (!result) retry = std::min(retry, std::max(kRetryMin, milliseconds(ttl) / 3));
    const auto due = [&] { return stopping || removed || (result && enroll_wanted); };
    changed.wait_for(lock, delay, due);
    if (stopping) return;
    if (!removed) continue;
    lock.unlock();
    leave();
    return;
  }
}

Result<void> Membership::Impl::beat() {
  LeaseId held = 0;
  bool wanted = false;
  seconds fitting{0};
  {
    const std::lock_guard lock(mutex);
    held = lease;
    fitting = lease_ttl(roster.members().size(), config.ttl_min);
    wanted = enroll_wanted || held == 0 || is_outgrown(ttl, fitting);
  }
  if (wanted) return enroll();
  const auto kept = state.keep(held);
  if (kept || kept.error().code != Errc::lease_lost) return kept;
  spdlog::warn("lease of liveness was lost, taking another node={}", id);
  {
    const std::lock_guard lock(mutex);
    lease = 0;
  }
  return enroll();
}

/// Takes a lease for the number of members that there are, and puts this node's records under it.
Result<void> Membership::Impl::enroll() {
  LeaseId old = 0;
  seconds fitting{0};
  {
    const std::lock_guard lock(mutex);
    enroll_wanted = false;
    old = lease;
    fitting = lease_ttl(roster.members().size(), config.ttl_min);
  }
  const auto again = [this] {
    const std::lock_guard lock(mutex);
    enroll_wanted = true;
  };
  const auto fresh = state.grant(fitting);
  if (!fresh) {
    again();
    return tl::unexpected(fresh.error());
  }
  if (const auto written = write_records(*fresh); !written) {
    (void)state.revoke(*fresh);
    again();
    return written;
  }
  ttl = fitting;
  {
    const std::lock_guard lock(mutex);
    lease = *fresh;
  }
  changed.notify_all();
  // It has no keys any more: they are under the new one.
  return old == 0 ? Result<void>() : state.revoke(old);
}

Result<void> Membership::Impl::write_records(LeaseId fresh) {
  for (int round = 0; round < kEnrollRoundsMax; ++round) {
    bool again = false;
    auto done = commit_records(fresh, again);
    if (!again) return done;
  }
  return fail(Errc::conflict, "the record of this node changes all the time");
}

Result<void> Membership::Impl::commit_records(LeaseId fresh, bool& again) {
  const auto key = state_keys::node(id);
  const auto entry = state.get(key);
  if (!entry) return tl::unexpected(entry.error());
  Member record;
  {
    const std::lock_guard lock(mutex);
    record = self;
  }
  const auto before =
      *entry ? parse_member((*entry)->value) : fail(Errc::member_unknown, "there is no record yet");
  if (before) {
    record.labels.insert(before->labels.begin(), before->labels.end());
    record.joined = before->joined;
  } else if (record.joined == UnixTime{}) {
    record.joined = Clock::system().now();
  }
  const auto live = nlohmann::ordered_json{{"boot", boot}}.dump();
  Transaction transaction;
  transaction.conditions = {Condition::absent(state_keys::removed(id)),
                            *entry ? Condition::unchanged(**entry) : Condition::absent(key)};
  transaction.writes = {{state_keys::live(id), live, fresh}};
  if (!before || *before != record) transaction.writes.push_back({key, to_json(record), 0});
  const auto done = state.commit(transaction);
  if (done) return {};
  again = done.error().code == Errc::conflict || done.error().code == Errc::outcome_unknown;
  if (!again) return tl::unexpected(done.error());
  const auto marker = state.get(state_keys::removed(id));
  if (!marker || !*marker) return {};
  again = false;
  const std::lock_guard lock(mutex);
  removed = true;
  return fail(Errc::denied, "this node was removed from the cluster");
}

void Membership::Impl::leave() {
  spdlog::error(
      "this node was removed from the cluster, and acts alone now node={}: to bring it back, stop "
      "it, delete its identity, and join with a new token",
      id);
  LeaseId held = 0;
  {
    const std::lock_guard lock(mutex);
    held = std::exchange(lease, 0);
    peers = nullptr;
  }
  watch.reset();
  if (held != 0) (void)state.revoke(held);
  subscribers.notify();
}

/// Logs when it begins to fail and when it is well again, and not each beat.
void Membership::Impl::report(const Result<void>& result) {
  if (result) {
    if (std::exchange(failing, false)) spdlog::info("state answers again, this node is live");
    return;
  }
  if (std::exchange(failing, true)) return;
  const auto& error = result.error();
  if (error.code == Errc::denied) {
    spdlog::error("the cluster refuses this node node={} error=\"{}\"", id, error.message);
  } else {
    spdlog::warn("state cannot be reached, what was last known of the members stands error=\"{}\"",
                 error.message);
  }
}

Membership::Membership(State& state, Member self, MembershipConfig config)
    : impl_(std::make_unique<Impl>(state, std::move(self), config)) {
  impl_->watch = state.watch(state_keys::kMembers,
                             [impl = impl_.get()](const StateEvent& event) { impl->apply(event); });
  impl_->thread = std::thread([impl = impl_.get()] { impl->run(); });
}

Membership::~Membership() { stop(); }

void Membership::stop() {
  {
    const std::lock_guard lock(impl_->mutex);
    if (std::exchange(impl_->stopped, true)) return;
    impl_->stopping = true;
  }
  impl_->changed.notify_all();
  impl_->thread.join();
  impl_->watch.reset();
  impl_->remember();
  LeaseId held = 0;
  {
    const std::lock_guard lock(impl_->mutex);
    held = std::exchange(impl_->lease, 0);
  }
  // With the state away it would only take time; the lease ends by itself.
  if (held == 0 || impl_->failing) return;
  if (const auto revoked = impl_->state.revoke(held); !revoked) {
    spdlog::warn("lease of liveness not given back, it ends by itself ttl={} error=\"{}\"",
                 impl_->ttl.count(), revoked.error().message);
  }
}

std::shared_ptr<const PeerSet> Membership::now() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->current_peers();
}

std::shared_ptr<void> Membership::subscribe(std::function<void()> changed) {
  return impl_->subscribers.add(std::move(changed));
}

bool Membership::wait_until_live(milliseconds patience) const {
  std::unique_lock lock(impl_->mutex);
  return impl_->changed.wait_for(
      lock, patience, [this] { return impl_->lease != 0 && impl_->roster.is_live(impl_->id); });
}

bool Membership::is_member(const std::string& id) const {
  const std::lock_guard lock(impl_->mutex);
  return !impl_->removed && impl_->roster.is_member(id);
}

bool Membership::is_removed(const std::string& id) const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->roster.is_removed(id);
}

bool Membership::is_self_removed() const { return impl_->is_removed(); }

Result<void> Membership::admit(const std::string& id) {
  const auto removed = [&id] {
    return fail(Errc::denied, fmt::format("{} was removed from the cluster", id));
  };
  if (is_self_removed()) return fail(Errc::denied, "this node was removed from the cluster itself");
  if (is_removed(id)) return removed();
  if (is_member(id)) return {};
  // It may have joined a moment ago, elsewhere.
  const auto marker = impl_->state.get(state_keys::removed(id));
  if (!marker) return tl::unexpected(marker.error());
  if (*marker) return removed();
  const auto record = impl_->state.get(state_keys::node(id));
  if (!record) return tl::unexpected(record.error());
  if (*record) return {};
  return fail(Errc::denied, fmt::format("{} is not a member of the cluster", id));
}

std::vector<NodeView> Membership::nodes() const {
  std::vector<NodeView> views;
  const std::lock_guard lock(impl_->mutex);
  const auto& roster = impl_->roster;
  for (const auto& [id, member] : roster.members()) {
    views.push_back({member, roster.is_live(id), roster.is_drained(id), id == impl_->id});
  }
  return views;
}

Result<NodeView> Membership::node(const std::string& id) const {
  for (auto& view : nodes()) {
    if (view.member.id == id) return std::move(view);
  }
  return fail(Errc::member_unknown, fmt::format("there is no node `{}`", id));
}

void Membership::describe(Member self) {
  {
    const std::lock_guard lock(impl_->mutex);
    self.id = impl_->id;
    impl_->self = std::move(self);
    impl_->peers = nullptr;
    impl_->enroll_wanted = true;
  }
  impl_->changed.notify_all();
}

}  // namespace shoal

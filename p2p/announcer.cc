#include "p2p/announcer.h"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include <spdlog/spdlog.h>

namespace shoal {
namespace {

using Steady = std::chrono::steady_clock;

constexpr std::size_t kSenders = 4;
constexpr std::size_t kEventsAtOnce = 512;
constexpr std::chrono::seconds kStorePause{5};  // After the store failed to answer.

bool moves_content(EventKind kind) {
  switch (kind) {
    case EventKind::blob_push:
    case EventKind::blob_drop:
    case EventKind::manifest_push:
    case EventKind::quarantine: return true;
    case EventKind::blob_mount:
    case EventKind::blob_delete:
    case EventKind::manifest_delete:
    case EventKind::tag:
    case EventKind::untag: return false;
  }
  return false;
}

std::vector<std::string> ids_of(const PeerSet& set) {
  std::vector<std::string> ids;
  for (const auto& peer : set.peers) ids.push_back(peer.id);
  return ids;
}

std::uint64_t microseconds_since_1970() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(now).count());
}

}  // namespace

struct Announcer::Impl {
  Impl(AnnounceConfig config, Store& its_store, Peers& its_peers, std::uint64_t boot, Send its_send)
      : store(its_store),
        peers(its_peers),
        send(std::move(its_send)),
        followed(its_store.events().last()),
        plan(config, its_peers.now()->self, boot, microseconds_since_1970()) {
    members = its_peers.now();
    plan.members(ids_of(*members), Steady::now());
  }

  void decide();
  void carry();
  /// Both give the lock back while the store reads. False: nothing to do, or no room for it.
  [[nodiscard]] bool follow_feed(std::unique_lock<std::mutex>& lock);
  [[nodiscard]] bool list_store(std::unique_lock<std::mutex>& lock);
  void store_failed(const Error& error);
  void wake();

  Store& store;
  Peers& peers;
  const Send send;

  mutable std::mutex mutex;
  std::condition_variable decider;  // Something changed.
  std::condition_variable senders;  // `due` has something, or it is time to stop.
  std::condition_variable waiters;  // Of flush().
  bool stopping = false;
  bool woken = true;
  std::uint64_t followed;  // The last event that the plan knows.
  AnnouncePlan plan;
  std::shared_ptr<const PeerSet> members;  // That the plan knows,
  std::uint64_t looked = 0;                // since this round of decide();
  std::uint64_t begun = 0;                 // of so many that have begun.
  Steady::time_point store_again{};
  std::deque<AnnouncePlan::Message> due;
  std::size_t under_way = 0;  // Taken from the plan.
  Status done{};

  std::shared_ptr<void> events_subscription;
  std::shared_ptr<void> peers_subscription;
  std::vector<std::thread> threads;
};

void Announcer::Impl::wake() {
  const std::lock_guard lock(mutex);
  woken = true;
  decider.notify_one();
}

void Announcer::Impl::store_failed(const Error& error) {
  spdlog::warn("announcing waits for the store error=\"{}\"", error.message);
  store_again = Steady::now() + kStorePause;
}

bool Announcer::Impl::follow_feed(std::unique_lock<std::mutex>& lock) {
  if (!plan.room()) return false;
  lock.unlock();
  const auto events = store.events().after(followed, kEventsAtOnce);
  std::vector<std::pair<Digest, bool>> changes;
  std::optional<Error> error;
  if (events) {
    for (const auto& event : *events) {
      if (!event.digest || !moves_content(event.kind)) continue;
      // What is so now, and not what was so then: a later event may have been overtaken by this.
      const auto info = store.blobs().stat_any(*event.digest, Wait::yes);
      if (!info && info.error().code != Errc::blob_unknown) {
        error = info.error();
        break;
      }
      changes.emplace_back(*event.digest, info.has_value());
    }
  }
  const auto newest = store.events().last();
  lock.lock();
  const auto now = Steady::now();
  if (!events && events.error().code == Errc::events_compacted) {
    followed = newest;
    plan.start_over(now);
    return true;
  }
  if (!events || error) {
    store_failed(error ? *error : events.error());
    return false;
  }
  for (const auto& [digest, held] : changes) plan.changed(digest, held, now);
  if (!events->empty()) followed = events->back().sequence;
  return !events->empty();
}

bool Announcer::Impl::list_store(std::unique_lock<std::mutex>& lock) {
  const auto wanted = plan.wanted();
  if (!wanted) return false;
  lock.unlock();
  const auto page = store.blobs().list_all(wanted->after, wanted->limit);
  lock.lock();
  if (!page) {
    store_failed(page.error());
    return false;
  }
  plan.listed(*page, Steady::now());
  return true;
}

void Announcer::Impl::decide() {
  std::unique_lock lock(mutex);
  while (!stopping) {
    woken = false;
    const auto round = ++begun;
    lock.unlock();  // Those that wake us hold locks of their own.
    auto set = peers.now();
    lock.lock();
    if (set != members) plan.members(ids_of(*set), Steady::now());
    members = std::move(set);
    looked = round;
    bool more = false;
    if (Steady::now() >= store_again) {
      // The feed first: a page that is read later holds what it said, or what came after.
      more = follow_feed(lock);
      more = list_store(lock) || more;
    }
    while (under_way < kSenders) {
      auto message = plan.take(Steady::now());
      if (!message) break;
      due.push_back(std::move(*message));
      ++under_way;
      senders.notify_one();
    }
    waiters.notify_all();
    if (more || woken || stopping) continue;
    auto next = under_way < kSenders ? plan.next() : std::nullopt;
    if (store_again > Steady::now()) next = next ? std::min(*next, store_again) : store_again;
    const auto changed = [this] { return woken || stopping; };
    if (next) {
      decider.wait_until(lock, *next, changed);
    } else {
      decider.wait(lock, changed);
    }
  }
}

void Announcer::Impl::carry() {
  std::unique_lock lock(mutex);
  for (;;) {
    senders.wait(lock, [this] { return stopping || !due.empty(); });
    if (stopping) return;
    const auto message = std::move(due.front());
    due.pop_front();
    lock.unlock();
    const auto answer = send(message.peer, message.announce);
    lock.lock();
    --under_way;
    const auto now = Steady::now();
    if (answer) {
      ++done.messages;
      done.digests += message.announce.adds.size() + message.announce.removes.size();
      plan.delivered(message, *answer, now);
    } else {
      ++done.failures;
      spdlog::debug("announce failed peer={} error=\"{}\"", message.peer, answer.error().message);
      plan.failed(message, now);
    }
    woken = true;
    decider.notify_one();
  }
}

Announcer::Announcer(AnnounceConfig config, Store& store, Peers& peers, std::uint64_t boot,
                     Send send)
    : impl_(std::make_unique<Impl>(config, store, peers, boot, std::move(send))) {
  auto& impl = *impl_;
  impl.events_subscription = store.events().subscribe([&impl] { impl.wake(); });
  impl.peers_subscription = peers.subscribe([&impl] { impl.wake(); });
  impl.threads.emplace_back([&impl] { impl.decide(); });
  for (std::size_t i = 0; i < kSenders; ++i) impl.threads.emplace_back([&impl] { impl.carry(); });
}

Announcer::~Announcer() { stop(); }

void Announcer::stop() {
  impl_->events_subscription.reset();
  impl_->peers_subscription.reset();
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->stopping = true;
    impl_->decider.notify_all();
    impl_->senders.notify_all();
    impl_->waiters.notify_all();
  }
  for (auto& thread : impl_->threads) thread.join();
  impl_->threads.clear();
}

void Announcer::restarted(const std::string& peer, std::uint64_t boot) {
  const std::lock_guard lock(impl_->mutex);
  impl_->plan.restarted(peer, boot, Steady::now());
  impl_->woken = true;
  impl_->decider.notify_one();
}

Result<void> Announcer::flush(std::chrono::milliseconds timeout) {
  auto& impl = *impl_;
  const auto target = impl.store.events().last();
  std::unique_lock lock(impl.mutex);
  const auto round = impl.begun + 1;  // One that sees who lives now.
  impl.woken = true;
  impl.decider.notify_one();
  const auto told = [&] {
    return impl.looked >= round && impl.followed >= target && impl.plan.settled();
  };
  impl.waiters.wait_for(lock, timeout, [&] { return impl.stopping || told(); });
  if (told()) return {};
  if (impl.stopping) return fail(Errc::unavailable, "this node is shutting down");
  const auto backlog = impl.plan.backlog();
  return fail(Errc::timed_out, "the directory does not know all of this node's content yet: " +
                                   std::to_string(backlog.digests) + " digests wait");
}

Announcer::Status Announcer::status() const {
  const std::lock_guard lock(impl_->mutex);
  auto status = impl_->done;
  status.backlog = impl_->plan.backlog();
  return status;
}

}  // namespace shoal

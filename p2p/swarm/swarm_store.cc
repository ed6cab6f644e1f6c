#include "p2p/swarm/swarm_store.h"

#include <utility>
#include <vector>

#include <boost/asio/post.hpp>

namespace shoal {
namespace {

using Steady = std::chrono::steady_clock;

constexpr std::size_t kSpareBytes = 32 << 20;

}  // namespace

SwarmStore::SwarmStore(SwarmStoreConfig config, Failed failed)
    : config_(config),
      failed_(std::move(failed)),
      buffers_(kSpareBytes),
      checking_(config.check_threads),
      storing_(config.store_threads) {}

SwarmStore::~SwarmStore() {
  checking_.join();
  storing_.join();
}

bool SwarmStore::due(const Work& work, Time now) const {
  if (work.waiting == 0) return false;
  if (work.waiting >= config_.segment_bytes || waiting_bytes() > config_.waiting_bytes_max) {
    return true;
  }
  const auto age = now - work.since;
  return age >=
         (work.waiting >= config_.small_segment_bytes ? config_.patience : config_.patience_max);
}

void SwarmStore::start(Work& work) {
  work.again = work.running;
  if (work.running) return;
  work.running = true;
  asio::post(storing_, [this, digest = work.arrival->info().digest] { run(digest); });
}

void SwarmStore::piece_arrived(const std::shared_ptr<Arrival>& arrival, std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  auto& work = works_[arrival->info().digest];
  work.arrival = arrival;
  if (work.waiting == 0) work.since = Steady::now();
  work.waiting += bytes;
  waiting_bytes_ += bytes;
  start(work);
}

void SwarmStore::check_ends(std::uint64_t bytes) {
  std::unique_lock lock(mutex_);
  checking_bytes_ -= bytes;
  ease(lock);
}

void SwarmStore::tick() {
  const std::lock_guard lock(mutex_);
  for (auto& [digest, work] : works_) {
    if (due(work, Steady::now())) start(work);
  }
}

void SwarmStore::run(const Digest& digest) {
  std::unique_lock lock(mutex_);
  const auto found = works_.find(digest);
  auto& work = found->second;  // Stays as long as it runs.
  do {
    work.again = false;
    const auto arrival = work.arrival;
    lock.unlock();
    // First the digest, as long as the pieces are in memory.
    Result<std::uint64_t> done = arrival->hash();
    lock.lock();
    if (done && due(work, Steady::now())) {
      lock.unlock();
      done = arrival->store();
      lock.lock();
      if (done) written(work, *done);
    }
    if (!done && !std::exchange(work.failed, true)) {
      lock.unlock();
      failed_(digest, done.error());
      lock.lock();
    }
  } while (work.again);
  work.running = false;
  idle_.notify_all();
  ease(lock);
}

void SwarmStore::written(Work& work, std::uint64_t bytes) {
  // A piece may be written before piece_arrived() has told of it.
  const auto counted = std::min(bytes, work.waiting);
  work.waiting -= counted;
  work.since = Steady::now();
  waiting_bytes_ -= counted;
}

bool SwarmStore::full(std::function<void()> eased) {
  const std::lock_guard lock(mutex_);
  if (!full()) return false;
  held_up_.push_back(std::move(eased));
  ++waits_;
  for (auto& [digest, work] : works_) {
    if (work.waiting > 0 && !work.failed) start(work);
  }
  return true;
}

void SwarmStore::ease(std::unique_lock<std::mutex>& lock) {
  if (held_up_.empty() || waiting_bytes() > config_.waiting_bytes_max) return;
  const auto held_up = std::exchange(held_up_, {});
  lock.unlock();
  for (const auto& eased : held_up) eased();
}

void SwarmStore::drain(const std::shared_ptr<Arrival>& arrival) {
  const auto& digest = arrival->info().digest;
  std::unique_lock lock(mutex_);
  const auto found = works_.find(digest);
  if (found == works_.end()) return;
  idle_.wait(lock, [&] { return !found->second.running; });
  found->second.running = true;  // Nobody else touches it.
  lock.unlock();
  const auto stored = arrival->store();
  if (!stored) failed_(digest, stored.error());
  lock.lock();
  waiting_bytes_ -= found->second.waiting;
  works_.erase(found);
  ease(lock);
}

}  // namespace shoal

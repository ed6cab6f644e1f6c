#include "orchestrator/state/embedded_hub.h"

#include <algorithm>
#include <utility>

namespace shoal {
namespace {

// What waits in memory for one follower; the transactions themselves are shared by all.
constexpr std::size_t kQueuedCommitsMax = 256;
constexpr std::size_t kQueuedBytesMax = 4 << 20;
// A batch is closed behind the transaction that reaches one of these.
constexpr std::size_t kBatchChanges = 256;
constexpr std::size_t kBatchBytes = 1 << 20;

std::size_t value_bytes(const RecordedChange& change) {
  return change.key.size() + (change.after ? change.after->entry.value.size() : 0);
}

}  // namespace

StateFollower::StateFollower(StateHub& hub, KeyRange range, Revision after,
                             std::function<void()> wake)
    : hub_(hub),
      range_(std::move(range)),
      wake_(std::move(wake)),
      position_(after),
      catch_up_to_(after) {}

StateFollower::~StateFollower() {
  const std::lock_guard lock(hub_.mutex_);
  hub_.followers_.erase(this);
}

void StateFollower::append(Batch& batch, const Commit& commit) const {
  for (const auto& change : commit->changes) {
    if (!range_.contains(change.key)) continue;
    batch.changes.emplace_back(commit, &change);  // Keeps the transaction.
    batch.revisions.push_back(commit->revision);
  }
}

Result<StateFollower::Batch> StateFollower::catch_up() {
  Batch batch;
  batch.revision = catch_up_to_;
  std::size_t bytes = 0;
  const auto read =
      hub_.store_.history(position_, catch_up_to_, [&](Revision revision, RecordedChange change) {
        const bool next = batch.revisions.empty() || batch.revisions.back() != revision;
        if (next && (batch.changes.size() >= kBatchChanges || bytes >= kBatchBytes)) {
          batch.revision = batch.revisions.back();
          return false;
        }
        if (!range_.contains(change.key)) return true;
        bytes += value_bytes(change);
        batch.changes.push_back(std::make_shared<const RecordedChange>(std::move(change)));
        batch.revisions.push_back(revision);
        return true;
      });
  if (!read) return tl::unexpected(read.error());
  position_ = batch.revision;
  return batch;
}

Result<StateFollower::Batch> StateFollower::next() {
  for (;;) {
    if (position_ < catch_up_to_) {
      auto batch = catch_up();
      if (!batch || !batch->changes.empty()) return batch;
      continue;
    }
    const std::lock_guard lock(hub_.mutex_);
    if (std::exchange(behind_, false)) {
      catch_up_to_ = std::max(position_, hub_.published_);
      continue;
    }
    Batch batch;
    std::size_t bytes = 0;
    while (!queue_.empty() && batch.changes.size() < kBatchChanges && bytes < kBatchBytes) {
      const Commit commit = std::move(queue_.front());
      queue_.pop_front();
      const auto size = commit->bytes();
      queued_bytes_ -= size;
      if (commit->revision <= position_) continue;  // It was in what was listed or caught up.
      bytes += size;
      append(batch, commit);
      position_ = commit->revision;
    }
    if (queue_.empty()) position_ = std::max(position_, hub_.published_);
    batch.revision = position_;
    waiting_ = batch.changes.empty();
    return batch;
  }
}

void StateHub::publish(const std::shared_ptr<const RecordedCommit>& commit) {
  const auto touches = [&](const KeyRange& range) {
    return std::any_of(commit->changes.begin(), commit->changes.end(),
                       [&](const auto& change) { return range.contains(change.key); });
  };
  const std::size_t bytes = commit->bytes();
  const std::lock_guard lock(mutex_);
  published_ = commit->revision;
  for (auto* follower : followers_) {
    if (!touches(follower->range_)) continue;
    if (!follower->behind_) {
      follower->queue_.push_back(commit);
      follower->queued_bytes_ += bytes;
      if (follower->queue_.size() > kQueuedCommitsMax ||
          follower->queued_bytes_ > kQueuedBytesMax) {
        follower->queue_.clear();
        follower->queued_bytes_ = 0;
        follower->behind_ = true;
      }
    }
    if (std::exchange(follower->waiting_, false)) follower->wake_();
  }
}

std::unique_ptr<StateFollower> StateHub::follow(KeyRange range, Revision after,
                                                std::function<void()> wake) {
  std::unique_ptr<StateFollower> follower(
      new StateFollower(*this, std::move(range), after, std::move(wake)));
  const std::lock_guard lock(mutex_);
  follower->behind_ = after < published_;
  followers_.insert(follower.get());
  return follower;
}

}  // namespace shoal

#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <unordered_set>
#include <vector>

#include "orchestrator/state/embedded_store.h"

namespace shoal {

class StateHub;

/// One reader of the changes of a range, at its own pace: what happens is queued for it, and what
/// no longer fits into its queue it reads from the history. One thread at a time.
class StateFollower {
 public:
  ~StateFollower();
  StateFollower(const StateFollower&) = delete;
  StateFollower& operator=(const StateFollower&) = delete;

  struct Batch {
    std::vector<std::shared_ptr<const RecordedChange>> changes;
    std::vector<Revision> revisions;  // Of each change.
    Revision revision = 0;            // Everything up to here has been told.
  };
  /// What came since the last call, whole transactions, each change once and in order. May read
  /// the disk. Nothing changed: `wake` will be called when that is no longer so. Fails with
  /// events_compacted when the history no longer has what comes next: list again, follow anew.
  [[nodiscard]] Result<Batch> next();

 private:
  friend class StateHub;
  using Commit = std::shared_ptr<const RecordedCommit>;

  StateFollower(StateHub& hub, KeyRange range, Revision after, std::function<void()> wake);
  [[nodiscard]] Result<Batch> catch_up();
  void append(Batch& batch, const Commit& commit) const;

  StateHub& hub_;
  const KeyRange range_;
  const std::function<void()> wake_;
  Revision position_;     // Told up to here.
  Revision catch_up_to_;  // Up to here it is to be read from the history.

  // The hub's lock guards these.
  std::deque<Commit> queue_;
  std::size_t queued_bytes_ = 0;
  bool behind_ = false;  // The queue was given up: read the history up to what is published.
  bool waiting_ = false;
};

/// Hands each transaction, once it is durable, to those who follow keys in it. Thread-safe.
class StateHub {
 public:
  /// `store` must outlive it; what it holds is published already.
  explicit StateHub(const EmbeddedStore& store) : store_(store), published_(store.revision()) {}

  /// In the order of their revisions.
  void publish(const std::shared_ptr<const RecordedCommit>& commit);

  /// Changes of `range` above `after`. `wake` must not block nor call anything of this; it is not
  /// called once the follower is gone. The hub must outlive that.
  [[nodiscard]] std::unique_ptr<StateFollower> follow(KeyRange range, Revision after,
                                                      std::function<void()> wake);

 private:
  friend class StateFollower;

  const EmbeddedStore& store_;
  std::mutex mutex_;
  Revision published_;
  std::unordered_set<StateFollower*> followers_;
};

}  // namespace shoal

#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "orchestrator/state/state.h"

namespace shoal {

/// One candidate in the election of a leader: who creates `key` first, under a lease of its own,
/// leads until it resigns or its lease ends. Has two threads.
///
/// The revision at which the key was created is the *epoch*: a write that carries
/// Condition::created_at(key, epoch) cannot be made by a leader that was replaced meanwhile,
/// however late it arrives (a fencing token).
class Election {
 public:
  struct Standing {
    std::optional<std::string> leader;  // The value of the leader's key; nothing: none is known.
    std::optional<Revision> epoch;      // Ours, while we lead.
  };
  /// Called from the election's thread on each change of the standing; must not destroy it.
  using Changed = std::function<void(const Standing&)>;

  /// Campaigns at once and for ever. `ttl` is that of the lease; by the monotonic clock leading
  /// ends `ttl` - 3 s after the last keep() that succeeded (at least ttl / 2), before anybody else
  /// can begin. `state` must outlive it.
  Election(State& state, std::string key, std::string value, std::chrono::seconds ttl,
           Changed changed);
  /// Resigns: the key is gone when this returns, if the state can be reached.
  ~Election();
  Election(const Election&) = delete;
  Election& operator=(const Election&) = delete;

  [[nodiscard]] Standing standing() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace shoal

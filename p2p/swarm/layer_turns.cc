#include "p2p/swarm/layer_turns.h"

#include <algorithm>
#include <limits>

namespace shoal {

void LayerTurns::add(const Digest& digest, Start start) {
  {
    const std::lock_guard lock(mutex_);
    waiting_.emplace_back(digest, std::move(start));
  }
  start_next();
}

void LayerTurns::start_next() {
  std::vector<Start> starts;
  {
    const std::lock_guard lock(mutex_);
    while (!waiting_.empty() && unripe_.size() < at_once_) {
      unripe_.insert(waiting_.front().first);
      starts.push_back(std::move(waiting_.front().second));
      waiting_.pop_front();
    }
  }
  for (const auto& start : starts) start();
}

void LayerTurns::hurry(const Digest& digest) {
  Start start;
  {
    const std::lock_guard lock(mutex_);
    const auto found = std::find_if(waiting_.begin(), waiting_.end(),
                                    [&](const auto& one) { return one.first == digest; });
    if (found == waiting_.end()) return;
    unripe_.insert(digest);
    start = std::move(found->second);
    waiting_.erase(found);
  }
  start();
}

void LayerTurns::ripe(const Digest& digest) {
  {
    const std::lock_guard lock(mutex_);
    if (unripe_.erase(digest) == 0) return;
  }
  start_next();
}

void LayerTurns::open() {
  {
    const std::lock_guard lock(mutex_);
    at_once_ = std::numeric_limits<std::size_t>::max();
  }
  start_next();
}

}  // namespace shoal

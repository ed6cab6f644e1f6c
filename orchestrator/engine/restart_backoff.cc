#include "orchestrator/engine/restart_backoff.h"

#include <algorithm>

namespace shoal {

void RestartBackoff::ended(SteadyTime at) {
  if (well_since_ && at - *well_since_ >= kWellFor) {
    delay_ = {};
    ends_.clear();
  }
  well_since_.reset();
  delay_ = delay_.count() == 0 ? kFirst : std::min(delay_ * 2, kLongest);
  next_start_ = at + delay_;
  ends_.push_back(at);
  if (ends_.size() > kFlaps) ends_.pop_front();
}

void RestartBackoff::well(SteadyTime at) {
  if (!well_since_) well_since_ = at;
}

void RestartBackoff::unwell() { well_since_.reset(); }

bool RestartBackoff::flaps(SteadyTime now) const {
  return ends_.size() == kFlaps && now - ends_.front() < kFlapsWithin;
}

}  // namespace shoal

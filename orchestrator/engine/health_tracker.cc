#include "orchestrator/engine/health_tracker.h"

#include <algorithm>
#include <utility>

namespace shoal {
namespace {

constexpr std::chrono::milliseconds kStartingInterval{1000};

}  // namespace

const char* to_string(Health health) {
  switch (health) {
    case Health::starting: return "starting";
    case Health::healthy: return "healthy";
    case Health::unhealthy: break;
  }
  return "unhealthy";
}

HealthTracker::HealthTracker(const CccfHealthCheck& check, SteadyTime started)
    : interval_(check.interval),
      retries_(check.retries),
      counts_from_(started + check.start_period) {
  schedule(started);
}

void HealthTracker::schedule(SteadyTime from) {
  const bool starting = health_ == Health::starting;
  next_ = from + (starting ? std::min(interval_, kStartingInterval) : interval_);
}

void HealthTracker::passed(SteadyTime at) {
  health_ = Health::healthy;
  failures_ = 0;
  failure_.clear();
  schedule(at);
}

void HealthTracker::failed(SteadyTime at, std::string why) {
  failure_ = std::move(why);
  // A service that was up has ended its start, whatever the period says.
  if (health_ == Health::healthy || at >= counts_from_) ++failures_;
  if (failures_ >= retries_) health_ = Health::unhealthy;
  schedule(at);
}

}  // namespace shoal

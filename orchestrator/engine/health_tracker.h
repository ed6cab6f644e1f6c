#pragma once

#include <chrono>
#include <string>

#include "orchestrator/cccf/service.h"
#include "orchestrator/engine/restart_backoff.h"

namespace shoal {

enum class Health { starting, healthy, unhealthy };

[[nodiscard]] const char* to_string(Health health);

/// What the outcomes of a health check come to. A container is starting until the first success,
/// which makes it healthy at once; it is unhealthy after `retries` failures in a row, of which
/// those within `start_period` of its start do not count; and healthy again with one success. A
/// state machine without a clock: times are given, and never go back.
class HealthTracker {
 public:
  HealthTracker(const CccfHealthCheck& check, SteadyTime started);

  void passed(SteadyTime at);
  void failed(SteadyTime at, std::string why);

  [[nodiscard]] Health health() const { return health_; }
  /// When to ask next: each `interval`; each second while it is starting, if that is sooner, so
  /// that a rollout does not wait for a slow check of a fast service.
  [[nodiscard]] SteadyTime next() const { return next_; }
  /// Of the last check; empty if it passed.
  [[nodiscard]] const std::string& failure() const { return failure_; }
  [[nodiscard]] unsigned failures_in_a_row() const { return failures_; }

 private:
  void schedule(SteadyTime from);

  const std::chrono::milliseconds interval_;
  const unsigned retries_;
  const SteadyTime counts_from_;
  Health health_ = Health::starting;
  unsigned failures_ = 0;  // In a row, those that count.
  SteadyTime next_;
  std::string failure_;
};

}  // namespace shoal

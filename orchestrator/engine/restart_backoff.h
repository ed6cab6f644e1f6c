#pragma once

#include <chrono>
#include <deque>
#include <optional>

namespace shoal {

using SteadyTime = std::chrono::steady_clock::time_point;

/// When a container that ends by itself may be started again: after 5 s, twice as long with each
/// further end, at most 5 min, and from the start again once it was well for 10 min. Above the
/// engine's own restarts, which wait milliseconds: those count as ends, too, and a container that
/// ends five times in 10 min flaps, whoever starts it. A state machine without a clock.
class RestartBackoff {
 public:
  static constexpr std::chrono::seconds kFirst{5};
  static constexpr std::chrono::seconds kLongest{5 * 60};
  static constexpr std::chrono::seconds kWellFor{10 * 60};
  static constexpr std::size_t kFlaps = 5;
  static constexpr std::chrono::seconds kFlapsWithin{10 * 60};

  /// It ended, or could not be started. Times never go back.
  void ended(SteadyTime at);
  /// It runs and its health check, if it has one, is content. May be said again and again.
  void well(SteadyTime at);
  /// It is not well any more, or not yet.
  void unwell();

  /// Before that it should not be started.
  [[nodiscard]] SteadyTime next_start() const { return next_start_; }
  [[nodiscard]] bool may_start(SteadyTime now) const { return now >= next_start_; }
  /// It ended so often that it should be kept down until next_start(), even if the engine would
  /// start it.
  [[nodiscard]] bool flaps(SteadyTime now) const;

 private:
  std::chrono::seconds delay_{0};  // Before the last start; zero: none.
  SteadyTime next_start_{};
  std::optional<SteadyTime> well_since_;
  std::deque<SteadyTime> ends_;  // The last kFlaps.
};

}  // namespace shoal

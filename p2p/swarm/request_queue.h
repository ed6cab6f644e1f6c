#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

namespace shoal {

/// How many requests a peer may have waiting here: what can be sent to it in the time that a
/// request takes to come, and a little more. Fewer leave the link idle. More make several peers ask
/// one seed for the same piece while each waits for its turn: seconds of a seed's upload are lost.
/// Measured, eight hosts of 100 Mbit/s: 3 to 4 blocks for each; where nothing is shaped 128 and
/// more.
///
/// One thread.
class RequestQueue {
 public:
  using Time = std::chrono::steady_clock::time_point;

  /// Requests at the start, when no rate is known.
  static constexpr int kFirst = 4;
  static constexpr int kMin = 3;
  static constexpr int kMax = 500;

  explicit RequestQueue(Time now) : since_(now) {}

  /// Bytes of content went to the peer. The new number, when it has changed by enough to tell it.
  [[nodiscard]] std::optional<int> sent(std::uint64_t bytes, Time now);

  /// The shortest time from a request to its block, as the peer sees it.
  void set_round_trip(std::chrono::microseconds time) { round_trip_ = time; }

  [[nodiscard]] int requests() const { return requests_; }

 private:
  Time since_;
  std::uint64_t bytes_ = 0;  // Since then.
  std::chrono::microseconds round_trip_{0};
  int requests_ = kFirst;
  int wanted_ = kFirst;  // At the last look.
};

}  // namespace shoal

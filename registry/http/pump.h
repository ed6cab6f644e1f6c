#pragma once

#include <chrono>
#include <cstdint>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

#include "registry/http/duplex.h"

namespace shoal {

/// Makes one of two connections: what comes from one side goes to the other, both ways at once.
/// Reads no more from a side than the other has taken, so that back-pressure passes through. The
/// end of one side is told to the other, which then has a few seconds to end as well. Lives on the
/// executor of both, which one thread runs.
class Pump {
 public:
  /// With no byte either way for `idle`, up to half as much longer, it ends. Both sides must
  /// outlive it.
  Pump(Duplex& a, Duplex& b, std::chrono::milliseconds idle);

  /// Until both sides are closed. Call once; the pump must outlive it.
  [[nodiscard]] asio::awaitable<void> run();

  /// Ends it soon. On its executor; does nothing before run().
  void close();

  /// Bytes that went so far from one side to the other.
  [[nodiscard]] std::uint64_t from_a() const { return from_a_; }
  [[nodiscard]] std::uint64_t from_b() const { return from_b_; }

 private:
  [[nodiscard]] asio::awaitable<void> move(Duplex& from, Duplex& to, std::uint64_t& bytes);
  void start(Duplex& from, Duplex& to, std::uint64_t& bytes);

  Duplex& a_;
  Duplex& b_;
  const std::chrono::milliseconds idle_;
  asio::steady_timer timer_;  // For the idle time, and the wait for the two directions.
  int running_ = 0;           // Directions.
  bool moved_ = false;        // Bytes, since the timer was last set.
  std::uint64_t from_a_ = 0;
  std::uint64_t from_b_ = 0;
};

}  // namespace shoal

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

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
  /// How long these bytes may wait for others behind them, so that they leave together; zero: not
  /// at all.
  using Patience = std::function<std::chrono::milliseconds(std::string_view bytes)>;
  /// What should go on in place of these bytes; valid until the next call. At most kEditBytes more.
  using Edit = std::function<std::string_view(std::string_view bytes)>;
  static constexpr std::size_t kEditBytes = 16;

  /// With no byte either way for `idle`, up to half as much longer, it ends. Both sides must
  /// outlive it. `edit` and `patience` are for what comes from `a`.
  Pump(Duplex& a, Duplex& b, std::chrono::milliseconds idle, Edit edit = {},
       Patience patience = {});

  /// Until both sides are closed. Call once; the pump must outlive it.
  [[nodiscard]] asio::awaitable<void> run();

  /// Ends it soon. On its executor; does nothing before run().
  void close();

  /// Bytes that went so far from one side to the other.
  [[nodiscard]] std::uint64_t from_a() const { return a_to_b_.bytes; }
  [[nodiscard]] std::uint64_t from_b() const { return b_to_a_.bytes; }

 private:
  struct Direction {
    Direction(Duplex& its_from, Duplex& its_to);

    /// What was read and not sent.
    [[nodiscard]] std::string_view text() const { return {memory.get() + begin, end - begin}; }

    Duplex& from;
    Duplex& to;
    std::uint64_t bytes = 0;
    std::unique_ptr<char[]> memory;
    std::size_t begin = 0;
    std::size_t end = 0;
    bool waits = false;    // The text, for more, until the timer ends.
    bool sending = false;  // The text whose time was over.
    asio::steady_timer timer;
    asio::steady_timer sent;  // Cancelled when that is done.
  };

  [[nodiscard]] asio::awaitable<void> move(Direction& direction);
  [[nodiscard]] asio::awaitable<bool> send(Direction& direction);
  [[nodiscard]] asio::awaitable<void> send_late(Direction& direction);
  void take(Direction& direction, std::size_t count);
  [[nodiscard]] bool may_wait(Direction& direction);
  void start(asio::awaitable<void> work);

  Duplex& a_;
  Duplex& b_;
  const std::chrono::milliseconds idle_;
  const Edit edit_;
  const Patience patience_;
  Direction a_to_b_;
  Direction b_to_a_;
  asio::steady_timer timer_;  // For the idle time, and the wait for what runs.
  int running_ = 0;           // Directions, and what they send late.
  int open_ = 2;              // Directions.
  bool moved_ = false;        // Bytes, since the timer was last set.
};

}  // namespace shoal

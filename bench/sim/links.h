#pragma once

#include <cstdint>
#include <deque>

#include "bench/sim/event_queue.h"

namespace shoal::sim {

/// A host's link, one direction of it: how long bytes keep it busy.
class Link {
 public:
  explicit Link(double bytes_per_second) : ns_per_byte_(1e9 / bytes_per_second) {}

  /// Messages of the protocol that go with whatever is sent next.
  void add_overhead(std::uint64_t bytes) { overhead_ += bytes; }
  [[nodiscard]] Time time_for(std::uint64_t bytes) const {
    return Time(static_cast<Time::rep>(static_cast<double>(bytes) * ns_per_byte_));
  }
  /// The bytes and the overhead, from `now` on, behind what is under way. When it is done.
  Time occupy(Time now, std::uint64_t bytes) {
    const auto begin = now > free_ ? now : free_;
    free_ = begin + time_for(bytes + overhead_);
    busy_ += free_ - begin;
    overhead_ = 0;
    return free_;
  }
  /// Done no earlier than `at`: the last byte comes from somewhere that is slower.
  void hold_until(Time at) {
    if (at > free_) free_ = at;
  }
  [[nodiscard]] Time free_at() const { return free_; }
  [[nodiscard]] Time busy() const { return busy_; }  // In all.

 private:
  double ns_per_byte_;
  Time free_{0};
  Time busy_{0};
  std::uint64_t overhead_ = 0;
};

/// What goes out: the flows that have something to send get their turn one after the other, a unit
/// each, as TCP connections of one round trip share a link.
struct Uplink {
  explicit Uplink(double bytes_per_second) : link(bytes_per_second) {}

  Link link;
  std::deque<std::uint32_t> turns;  // Flows with something to send, the next one first.
  bool sending = false;
};

}  // namespace shoal::sim

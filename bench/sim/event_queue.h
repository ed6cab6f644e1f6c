#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <vector>

namespace shoal::sim {

/// Simulated time since the start of the world.
using Time = std::chrono::nanoseconds;

/// As the shared code has it; the epoch is the start of the world.
[[nodiscard]] inline std::chrono::steady_clock::time_point steady(Time time) {
  return std::chrono::steady_clock::time_point(time);
}

/// What happens, and to whom: `a` to `c` are the indexes that it concerns.
template <class Kind>
struct Event {
  Time at;
  std::uint64_t order;  // Of events at the same time: the one that was made first comes first.
  Kind kind;
  std::uint32_t a, b, c;
};

/// Events by time. Those of one time come in the order in which they were put in, so that a run
/// depends on its seed alone. A heap with four children: half as deep as one with two, and four
/// events fit in two lines of the cache.
template <class Kind>
class EventQueue {
 public:
  [[nodiscard]] bool empty() const { return heap_.empty(); }
  /// How many were put in so far.
  [[nodiscard]] std::uint64_t count() const { return next_; }

  void push(Time at, Kind kind, std::uint32_t a, std::uint32_t b = 0, std::uint32_t c = 0) {
    heap_.push_back({at, next_++, kind, a, b, c});
    std::size_t child = heap_.size() - 1;
    const auto event = heap_[child];
    while (child > 0) {
      const auto parent = (child - 1) / kChildren;
      if (!before(event, heap_[parent])) break;
      heap_[child] = heap_[parent];
      child = parent;
    }
    heap_[child] = event;
  }

  /// There must be one.
  Event<Kind> pop() {
    const auto first = heap_.front();
    const auto last = heap_.back();
    heap_.pop_back();
    if (heap_.empty()) return first;
    std::size_t parent = 0;
    for (;;) {
      const auto begin = parent * kChildren + 1;
      if (begin >= heap_.size()) break;
      const auto end = std::min(begin + kChildren, heap_.size());
      auto least = begin;
      for (auto child = begin + 1; child < end; ++child) {
        if (before(heap_[child], heap_[least])) least = child;
      }
      if (!before(heap_[least], last)) break;
      heap_[parent] = heap_[least];
      parent = least;
    }
    heap_[parent] = last;
    return first;
  }

 private:
  static constexpr std::size_t kChildren = 4;

  static bool before(const Event<Kind>& a, const Event<Kind>& b) {
    return a.at != b.at ? a.at < b.at : a.order < b.order;
  }

  std::vector<Event<Kind>> heap_;
  std::uint64_t next_ = 0;
};

}  // namespace shoal::sim

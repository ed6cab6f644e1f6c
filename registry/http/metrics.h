#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>

#include "registry/http/message.h"

namespace prometheus {
class Counter;
class Gauge;
class Histogram;
class Registry;
template <typename T>
class Family;
}  // namespace prometheus

namespace shoal {

/// A server's counters, under its name as the label `server`. Each is looked up by its labels once,
/// and is a pointer from then on. Thread-safe; `registry` must outlive it.
class HttpMetrics {
 public:
  HttpMetrics(prometheus::Registry& registry, std::string server);

  /// `status` is of three digits.
  void request_served(Method method, int status, double seconds);
  void connection_opened();
  void connection_closed();
  void received(std::uint64_t bytes);
  void sent(std::uint64_t bytes);

 private:
  static constexpr std::size_t kMethods = static_cast<std::size_t>(Method::other) + 1;
  static constexpr std::size_t kClasses = 6;  // By the status's first digit; 0 is not used.

  prometheus::Counter& requests(Method method, int status);

  const std::string server_;
  prometheus::Family<prometheus::Counter>& requests_;
  // Made when first needed, so that only what happened is listed.
  std::array<std::atomic<prometheus::Counter*>, kMethods * kClasses> requests_by_label_{};
  prometheus::Histogram& seconds_;
  prometheus::Gauge& connections_;
  prometheus::Counter& received_;
  prometheus::Counter& sent_;
};

}  // namespace shoal

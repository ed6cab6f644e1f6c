#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace shoal {

/// Which of several servers to ask: one that works for as long as it works, another when it fails,
/// and one that failed again only after a pause of 1 s that doubles up to 30 s; up to 5 s when no
/// other is left, so that leases do not end before somebody finds that all is well. Thread-safe.
class EtcdEndpoints {
 public:
  using Time = std::chrono::steady_clock::time_point;

  /// In an order of its own, so that many clients do not all begin with the same server.
  EtcdEndpoints(std::vector<std::string> urls, std::uint64_t seed);

  struct Choice {
    std::size_t index;
    Time not_before;  // When it may be asked; in the past where one is free.
    Time away_since;  // When the last of all failed for the first time; Time::max(): one works.
  };
  [[nodiscard]] Choice choose() const;
  [[nodiscard]] const std::string& url(std::size_t index) const { return endpoints_[index].url; }
  [[nodiscard]] std::size_t size() const { return endpoints_.size(); }

  void worked(std::size_t index);
  /// An attempt that began at `began` failed. Several that run at once count as one.
  void failed(std::size_t index, Time began, Time now);

 private:
  struct Endpoint {
    std::string url;
    unsigned failures = 0;  // In a row.
    Time failing_since{};
    Time failed_at{};
    Time not_before{};
  };
  mutable std::mutex mutex_;
  std::vector<Endpoint> endpoints_;  // The urls never change.
  std::size_t current_ = 0;
};

}  // namespace shoal

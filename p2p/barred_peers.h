#pragma once

#include <chrono>
#include <map>
#include <mutex>
#include <string>

namespace shoal {

/// Peers that gave wrong content, and are not asked for a while. Thread-safe; never blocks for
/// long.
class BarredPeers {
 public:
  /// From now on; never for less than before.
  void bar(const std::string& peer, std::chrono::milliseconds duration);
  [[nodiscard]] bool contains(const std::string& peer) const;

 private:
  using Steady = std::chrono::steady_clock;
  mutable std::mutex mutex_;
  std::map<std::string, Steady::time_point> until_;
};

}  // namespace shoal

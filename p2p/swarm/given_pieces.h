#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

namespace shoal {

/// The pieces of one torrent that seeds told this node to ask for (HandOut), by connection.
/// Thread-safe.
class GivenPieces {
 public:
  /// What it gave before is forgotten.
  void set(std::uint64_t peer, std::vector<std::uint32_t> pieces) {
    const std::lock_guard lock(mutex_);
    if (pieces.empty()) {
      by_peer_.erase(peer);
    } else {
      by_peer_[peer] = std::move(pieces);
    }
  }
  /// Of all peers.
  [[nodiscard]] std::vector<std::uint32_t> all() const {
    const std::lock_guard lock(mutex_);
    std::vector<std::uint32_t> pieces;
    for (const auto& [peer, given] : by_peer_) {
      pieces.insert(pieces.end(), given.begin(), given.end());
    }
    return pieces;
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::uint64_t, std::vector<std::uint32_t>> by_peer_;
};

}  // namespace shoal

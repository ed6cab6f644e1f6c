#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>

namespace shoal {

/// Bytes of content, either way.
struct SwarmTally {
  std::atomic<std::uint64_t> received{0};
  std::atomic<std::uint64_t> sent{0};
  std::atomic<std::uint64_t> wrong_pieces{
      0};  // That failed their check; others may have had a part.
};

/// Whose bytes those of one torrent are: by address, while its connections come and go.
/// Thread-safe.
class SwarmLedger {
 public:
  /// What is counted here is counted in `all`, too.
  explicit SwarmLedger(std::shared_ptr<SwarmTally> all) : all_(std::move(all)) {}

  /// Of a peer; never null.
  [[nodiscard]] std::shared_ptr<SwarmTally> of(const std::string& address) {
    const std::lock_guard lock(mutex_);
    auto& tally = peers_[address];
    if (!tally) tally = std::make_shared<SwarmTally>();
    return tally;
  }
  [[nodiscard]] std::map<std::string, std::shared_ptr<const SwarmTally>> peers() const {
    const std::lock_guard lock(mutex_);
    return {peers_.begin(), peers_.end()};
  }
  [[nodiscard]] SwarmTally& all() { return *all_; }

 private:
  const std::shared_ptr<SwarmTally> all_;
  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<SwarmTally>> peers_;
};

}  // namespace shoal

#include "p2p/barred_peers.h"

#include <algorithm>

namespace shoal {

void BarredPeers::bar(const std::string& peer, std::chrono::milliseconds duration) {
  const auto now = Steady::now();
  const std::lock_guard lock(mutex_);
  std::erase_if(until_, [now](const auto& entry) { return entry.second <= now; });
  auto& until = until_[peer];
  until = std::max(until, now + duration);
}

bool BarredPeers::contains(const std::string& peer) const {
  const std::lock_guard lock(mutex_);
  const auto found = until_.find(peer);
  return found != until_.end() && found->second > Steady::now();
}

}  // namespace shoal

#include "p2p/peers.h"

#include <algorithm>

namespace shoal {

const Peer* PeerSet::find(const std::string& id) const {
  const auto found =
      std::lower_bound(peers.begin(), peers.end(), id,
                       [](const Peer& peer, const auto& key) { return peer.id < key; });
  return found != peers.end() && found->id == id ? &*found : nullptr;
}

}  // namespace shoal

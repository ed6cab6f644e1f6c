#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include <libtorrent/extensions.hpp>

#include "p2p/swarm/ledger.h"

namespace shoal {

/// Whether a connection from this address and port may stay. On the session's network thread.
using AdmitPeer = std::function<bool(const std::string& address, std::uint16_t port)>;

/// What all torrents of a session have beyond libtorrent: connections that come from elsewhere than
/// `admits` says are closed before they learn anything, and request queues between nodes
/// follow the rate (request_queue.h). The number of requests travels as BEP 10's `reqq`, again
/// whenever it changes, and beside it `rtt`, the shortest time from a request to its block, in
/// microseconds. What moves is counted in the ledger.
[[nodiscard]] std::shared_ptr<lt::torrent_plugin> make_peer_plugin(
    AdmitPeer admits, std::shared_ptr<SwarmLedger> ledger);

}  // namespace shoal

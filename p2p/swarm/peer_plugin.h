#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <libtorrent/extensions.hpp>

#include "p2p/swarm/given_pieces.h"
#include "p2p/swarm/ledger.h"

namespace shoal {

/// Whether a connection from this address and port may stay. On the session's network thread.
using AdmitPeer = std::function<bool(const std::string& address, std::uint16_t port)>;

/// One torrent, for its plugin.
struct SharedTorrent {
  std::uint32_t pieces = 0;
  std::uint32_t piece_blocks = 1;  // Of a piece.
  bool complete = false;           // All of it is here from the start.
  std::uint32_t salt = 0;          // HandOut's.
  std::shared_ptr<SwarmLedger> ledger;
  std::shared_ptr<GivenPieces> given;
  /// Seeds told this node to ask for other pieces than before. On the network thread, before
  /// anything is asked of them.
  std::function<void(const std::vector<std::uint32_t>& pieces)> on_given;
};

/// What all torrents of a session have beyond libtorrent:
///
/// - Connections that come from elsewhere than `admits` says are closed before they learn anything.
/// - Request queues between nodes follow the rate (request_queue.h). The number of requests travels
///   as BEP 10's `reqq`, again whenever it changes, and beside it `rtt`, the shortest time from a
///   request to its block, in microseconds.
/// - Who has all pieces hands them out (hand_out.h), beside `reqq` as `own`: the numbers of the
///   pieces to ask for, each four bytes, big-endian. In return seeds are told what arrives, too
///   (BEP 3's `have`), which libtorrent leaves out.
/// - What moves is counted in the ledger.
[[nodiscard]] std::shared_ptr<lt::torrent_plugin> make_peer_plugin(AdmitPeer admits,
                                                                   SharedTorrent torrent);

}  // namespace shoal

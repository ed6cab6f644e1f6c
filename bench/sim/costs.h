#pragma once

#include <cstdint>

#include "bench/sim/event_queue.h"

namespace shoal::sim {

// What the model charges for what it does not follow. Times from the log of nodes on a quiet
// machine; sizes from the formats.

/// Round trips of an HTTPS request to a node that was not asked before: TCP, TLS 1.3, the request.
inline constexpr int kRequestRoundTrips = 3;
/// Of a connection between two peers: TCP and TLS, the request for the tunnel, BitTorrent's
/// handshakes, its bitfields, interest and its answer.
inline constexpr int kConnectRoundTrips = 5;
inline constexpr Time kRequestWork =
    std::chrono::milliseconds(2);  // Both ends, with their threads.
inline constexpr Time kConnectWork = std::chrono::milliseconds(3);
inline constexpr Time kBeginWork = std::chrono::milliseconds(2);  // The arrival's record on disk.

/// A piece is hashed and written at so many bytes a second, and the whole is verified as it grows;
/// what is left at the end is its last piece and the sync.
inline constexpr double kVerifyRate = 800e6;
inline constexpr Time kCommitWork = std::chrono::milliseconds(15);

/// Around each block: BitTorrent's header, and the header and the tag of a TLS record.
inline constexpr std::uint64_t kBlockOverhead = 13 + 22;
/// A message alone in its packet, with TLS, TCP and IP around it.
inline constexpr std::uint64_t kMessageBytes = 110;
/// A torrent: for each piece a hash, and HTTP around it.
inline constexpr std::uint64_t kTorrentHashBytes = 32;
inline constexpr std::uint64_t kTorrentHeadBytes = 600;

/// Resident memory of a node that fetches, and what each of its connections adds: the lab's nodes
/// of 1 to 20 hosts. Beyond that it is a straight line and no measurement.
inline constexpr double kNodeMegabytes = 70;
inline constexpr double kConnectionMegabytes = 0.9;

}  // namespace shoal::sim

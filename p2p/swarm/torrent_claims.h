#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "p2p/barred_peers.h"
#include "p2p/directory.h"
#include "p2p/peer_clients.h"
#include "p2p/torrent.h"
#include "storage/store.h"

namespace shoal {

/// What stands before the digest where nodes ask each other for a torrent.
inline constexpr std::string_view kTorrentsPath = "/cluster/v1/torrents/";

/// A torrent, and who says that it is the content's.
struct TorrentClaim {
  Torrent torrent;
  std::string from;  // A node's id; "": it was kept here, with what has come of the content.
  bool held = true;  // By that node; else it only fetches it, too, and passes on what it was told.
};

/// Gets torrents from other nodes. Thread-safe; calls block on the net.
class TorrentClaims {
 public:
  /// All must outlive it. Torrents of another kind are left alone; a node that gives what is none
  /// is barred for `barred`.
  TorrentClaims(Store& store, PeerClients& clients, BarredPeers& peers, TorrentKind kind,
                std::chrono::milliseconds barred)
      : store_(store), clients_(clients), barred_(peers), kind_(kind), barred_for_(barred) {}

  /// The torrent of content that is to be fetched: the one with which that was begun, or that of
  /// the first of these nodes that gives one. Nothing: it is too small to have one. Fails with
  /// blob_unknown (none of them has it, and there are no others, whatever was begun) or
  /// unavailable.
  [[nodiscard]] Result<std::optional<TorrentClaim>> of(const Digest& digest,
                                                       const Directory::Found& found);

 private:
  [[nodiscard]] static Result<std::string> read(PeerStream& stream, const std::string& peer);
  [[nodiscard]] Result<std::optional<Torrent>> ask(const std::string& peer, const Digest& digest);

  Store& store_;
  PeerClients& clients_;
  BarredPeers& barred_;
  const TorrentKind kind_;
  const std::chrono::milliseconds barred_for_;
};

}  // namespace shoal

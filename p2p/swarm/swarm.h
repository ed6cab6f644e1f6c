#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include "p2p/directory.h"
#include "p2p/peer_clients.h"
#include "p2p/swarm/session.h"
#include "p2p/swarm/tracker.h"
#include "p2p/swarm/transfers.h"
#include "registry/http/message.h"
#include "storage/store.h"

namespace shoal {

struct SwarmConfig {
  SwarmSessionConfig session{};
  SwarmTransfersConfig transfers{};
  /// A torrent that nobody has used for so long leaves the session.
  std::chrono::milliseconds idle{30'000};
};

/// What the swarm works with; all of it must outlive it.
struct SwarmParts {
  Store& store;
  Peers& peers;
  Directory& directory;
  PeerClients& clients;
  std::shared_ptr<TlsContext> tls;  // Shows this node's certificate.
};

/// Moves content between the nodes by BitTorrent, each to each, in pieces: from the store, and into
/// it. Who holds what says the directory, what a torrent is says any node that has it, and the
/// bytes go through the port between nodes (tunnels.h). What nobody has used for a while costs
/// nothing: a torrent comes into the session when somebody asks for it, and leaves it again.
///
/// With the session's `open`, clients of BitTorrent on this host, too, take part, in torrents that
/// they know (TorrentKind::v1); all nodes of a cluster should have it then.
///
/// A transfer that does not move asks holders for pieces over HTTPS, so that it does not depend on
/// BitTorrent.
///
/// Thread-safe. Has threads of its own.
class Swarm {
 public:
  /// Fails with unavailable when the session has no port to listen on.
  [[nodiscard]] static Result<std::unique_ptr<Swarm>> start(SwarmConfig config, SwarmParts parts);
  /// Calls stop().
  ~Swarm();

  /// The transfer that brings the content, begun if there is none: its torrent is known then. Null:
  /// it is too small for a torrent, or has come into the store meanwhile. Blocks on the net. Fails
  /// with blob_unknown (nobody has it), unavailable (nobody who has it gives its torrent),
  /// disk_full, quota_exceeded, too_many or io.
  [[nodiscard]] Result<std::shared_ptr<SwarmTransfer>> join(const Repository& repository,
                                                            const Digest& digest,
                                                            SwarmClass of_class);
  /// Begins what is not here and not on its way, in the background; asks the directory once for
  /// all.
  void begin(const Repository& repository, const std::vector<Digest>& digests, SwarmClass of_class);

  /// As the first join(), with a torrent that is given, and what its trackers know beside the
  /// directory. Null: the content is here.
  [[nodiscard]] Result<std::shared_ptr<SwarmTransfer>> join(const Repository& repository,
                                                            const TorrentFile& file);

  /// The transfer that is under way, or null. Does not block.
  [[nodiscard]] std::shared_ptr<SwarmTransfer> find(const Digest& digest) const;

  /// Whether `path` is one of serve()'s.
  [[nodiscard]] static bool serves(std::string_view path);
  /// Answers requests of other nodes, which the caller has found to be members:
  ///
  /// - GET /cluster/v1/torrents/DIGEST: 200 and the torrent (Torrent::encode()), 204 for content
  ///   that is too small to have one, 404; 503 when it cannot be had now.
  /// - GET /cluster/v1/swarm/DIGEST: SwarmTunnels::serve().
  [[nodiscard]] asio::awaitable<Response> serve(Request& request);

  /// The torrent of what is here, or on its way; it may have to be made. Fails as
  /// SwarmSeeds::torrent() does. Resumes on the caller's executor.
  [[nodiscard]] asio::awaitable<Result<Torrent>> torrent(const Digest& digest);
  /// Answers a client of this host that announces itself for the content (tracker.h), and connects
  /// to it; for the session's `open`. Fails with bad_request (it asks for another torrent) or as
  /// torrent() does, but for what is not here: that, others may have. Resumes as torrent() does.
  [[nodiscard]] asio::awaitable<Result<std::string>> announce(const Digest& digest,
                                                              const TrackerAnnounce& announce,
                                                              const Tracker::Client& client);

  /// Bytes to and from one node, for one content.
  struct PeerView {
    /// Its id; "https": what holders gave over HTTPS; an address: a client that is no node.
    std::string node;
    std::uint64_t received_bytes = 0;
    std::uint64_t sent_bytes = 0;
    std::uint64_t receive_rate = 0;  // bytes a second.
    std::uint64_t send_rate = 0;
    std::uint32_t pieces = 0;
    bool connected = false;
  };
  /// A torrent in the session.
  struct View {
    Digest digest;
    std::string repository{};  // "" for what is only given to others.
    bool arriving = false;
    SwarmClass of_class{};
    std::uint64_t bytes = 0;
    std::uint64_t arrived_bytes = 0;
    std::uint32_t pieces = 0;
    std::uint32_t arrived_pieces = 0;
    std::uint64_t receive_rate = 0;
    std::uint64_t send_rate = 0;
    std::uint64_t redundant_bytes = 0;
    std::uint64_t wrong_bytes = 0;
    std::chrono::milliseconds age{};    // Of a transfer,
    std::chrono::milliseconds still{};  // and since its last byte.
    std::vector<PeerView> peers{};
  };
  [[nodiscard]] std::vector<View> view() const;
  /// As SwarmTransfers::ended().
  [[nodiscard]] std::vector<SwarmEnded> ended() const;

  struct Totals {
    SwarmTransfers::Counts transfers;
    std::uint64_t torrents = 0;  // In the session.
    std::uint64_t tunnels = 0;
    std::uint64_t received_bytes = 0;  // From peers, of content.
    std::uint64_t sent_bytes = 0;
    std::uint64_t waiting_bytes = 0;  // In memory, to be checked or written.
    std::uint64_t lent_bytes = 0;     // Memory of pieces.
  };
  [[nodiscard]] Totals totals() const;
  /// Grows as long as a byte comes for any transfer.
  [[nodiscard]] std::uint64_t moved() const;

  /// Transfers fail with unavailable, soon; does not block.
  void interrupt();
  /// Transfers fail with unavailable; what has come of them is kept for the next start. Calls of
  /// `clients` that are under way must be interrupted first. Blocks; idempotent.
  void stop();

 private:
  struct Impl;
  explicit Swarm(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace shoal

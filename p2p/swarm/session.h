#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "p2p/swarm/piece_plan.h"
#include "p2p/swarm/swarm_blob.h"
#include "p2p/swarm/swarm_store.h"

namespace shoal {

/// Bytes a second; 0: no limit.
struct SwarmRates {
  std::uint64_t send = 0;
  std::uint64_t receive = 0;
  std::uint64_t receive_copies = 0;  // Of the class replication alone, all transfers together.
};

struct SwarmSessionConfig {
  /// Where BitTorrent is spoken, an address of the loopback; port 0: any.
  std::string address = "127.0.0.1";
  std::uint16_t port = 0;
  /// Whether a connection that comes from this address and port may stay; empty: all may. Called on
  /// libtorrent's thread: must not block.
  std::function<bool(const std::string& address, std::uint16_t port)> admits{};
  /// Whether trackers are asked, and several peers may have one address. No peer is then anywhere
  /// but on the loopback, whatever a tracker says.
  bool open = false;
  SwarmRates rates{};  // Of content and all else that BitTorrent sends, without the tunnels' TLS.
  SwarmStoreConfig store{};
};

/// Where the content of a torrent is looked for.
struct SwarmSources {
  std::vector<std::string> peers{};     // `address:port`.
  std::vector<std::string> trackers{};  // URLs; of an open session.
};

/// One end of BitTorrent (BEP 3, 5, 6, 10, 52) with the torrents that move now. Knows nothing of
/// who holds what, nor whom it speaks to: it is told which addresses to connect to, and others
/// connect to it.
///
/// Thread-safe; nothing blocks for long but the destructor. Has threads of its own: libtorrent's,
/// one that hears of what happens there, and those of its SwarmStore.
class SwarmSession {
 public:
  /// Called on the session's own thread; must not block for long.
  struct Events {
    /// All pieces of an arrival are here, each checked.
    std::function<void(const Digest& digest)> finished;
    /// A piece has arrived. On a thread of the SwarmStore.
    std::function<void(const Digest& digest, std::uint32_t piece)> piece;
    /// Seeds told this node which pieces to ask for. On libtorrent's thread, before that asks for
    /// anything else: must not block. May be empty.
    std::function<void(const Digest& digest, const std::vector<std::uint32_t>& pieces)> given{};
    /// It cannot go on: the disk is full, say.
    std::function<void(const Digest& digest, const Error& error)> failed;
  };

  /// Fails with unavailable when the address cannot be listened on.
  [[nodiscard]] static Result<std::unique_ptr<SwarmSession>> start(SwarmSessionConfig config,
                                                                   Events events);
  ~SwarmSession();

  /// Where others connect to: `address:port`.
  [[nodiscard]] std::string listen_address() const;

  /// Begins to share the content of the torrent, all that is here and what comes. One torrent of a
  /// digest at a time: fails with conflict.
  [[nodiscard]] Result<void> seed(Torrent torrent, std::shared_ptr<BlobReader> reader);
  /// The same for content that comes; connects to these peers at once.
  [[nodiscard]] Result<void> fetch(Torrent torrent, std::shared_ptr<Arrival> arrival,
                                   const SwarmSources& sources = {});
  [[nodiscard]] bool has(const Digest& digest) const;
  /// All that are shared now.
  [[nodiscard]] std::vector<Digest> list() const;
  /// Whose info hash these 20 bytes are (Torrent::info_hash()); nothing if none is shared.
  [[nodiscard]] std::optional<Digest> digest_of(std::span<const char> info_hash) const;

  /// Ends it: its connections are closed, and what waits of its arrival is stored. Blocks.
  void remove(const Digest& digest);

  /// Connects to a peer, `address:port`, within a second, and again when the connection is lost, a
  /// few times.
  void connect(const Digest& digest, const std::string& address);

  /// A whole piece that came another way: checked as those of peers are.
  void add_piece(const Digest& digest, std::uint32_t piece, std::vector<char> bytes);

  /// Of the peers that are connected, by their addresses without ports; empty if there is no such
  /// torrent. Waits for libtorrent's thread.
  [[nodiscard]] SwarmSpread spread(const Digest& digest) const;
  /// How much pieces are wanted, from 1 to 7; PiecePlan::kStart at the start. Rarer ones still come
  /// before those that many peers have.
  void rank(const Digest& digest,
            const std::vector<std::pair<std::uint32_t, std::uint8_t>>& priorities);

  /// Bytes a second that the content may come with; 0: as fast as the session allows. False: there
  /// is no such torrent.
  bool limit(const Digest& digest, std::uint64_t receive_rate);

  /// Of an address, connected or not.
  struct PeerCounts {
    std::string address;               // Without its port.
    std::uint64_t received_bytes = 0;  // Of content,
    std::uint64_t sent_bytes = 0;
    std::uint64_t receive_rate = 0;  // bytes a second.
    std::uint64_t send_rate = 0;
    std::uint64_t wrong_pieces = 0;  // In which it had a part.
    std::uint32_t pieces = 0;        // That it has.
    bool connected = false;
  };
  struct Counts {
    std::uint64_t size = 0;    // Bytes of the content,
    std::uint32_t pieces = 0;  // and its pieces.
    std::uint64_t received_bytes = 0;
    std::uint64_t redundant_bytes = 0;  // Received twice.
    std::uint64_t wrong_bytes = 0;      // That failed their check.
    std::uint64_t sent_bytes = 0;
    std::uint64_t receive_rate = 0;
    std::uint64_t send_rate = 0;
    std::vector<PeerCounts> peers;
  };
  /// As of now; nothing if there is no such torrent. Waits for libtorrent's thread.
  [[nodiscard]] std::optional<Counts> counts(const Digest& digest) const;

  /// Bytes of content that came from peers; 0 if there is no such torrent. Waits for nobody.
  [[nodiscard]] std::uint64_t received_bytes(const Digest& digest) const;

  /// Bytes of content since the start, of all torrents.
  struct Moved {
    std::uint64_t received = 0;
    std::uint64_t sent = 0;
  };
  [[nodiscard]] Moved moved() const;

  [[nodiscard]] SwarmStore& store();

 private:
  struct Impl;
  explicit SwarmSession(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace shoal

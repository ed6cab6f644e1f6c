#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/thread_pool.hpp>

#include "p2p/peers.h"
#include "registry/http/message.h"
#include "registry/http/tls.h"
#include "storage/digest.h"
#include "storage/error.h"

namespace shoal {

/// What stands before the digest in the path of a tunnel.
inline constexpr std::string_view kSwarmPath = "/cluster/v1/swarm/";
/// The protocol that it changes to.
inline constexpr std::string_view kSwarmProtocol = "bittorrent";

struct SwarmTunnelsConfig {
  std::string session_address;  // `127.0.0.1:6881`: where this node's BitTorrent listens.
  unsigned threads = 1;         // For outgoing tunnels; each stays on one.
  /// Tunnels at once; more are refused. Those that come in leave room on the server for other
  /// requests of the nodes.
  std::size_t outgoing_max = 4096;
  std::size_t incoming_max = 3072;
  /// Tunnels that come in for one content that is all here. A seed that serves many serves each
  /// slowly, and nobody has a whole piece to give on: the others get it from those that it serves.
  std::size_t takers_max = 24;
  /// For each step until a tunnel is open: the handshake of BitTorrent, a connection, TLS, an
  /// answer.
  std::chrono::milliseconds progress_timeout{10'000};
  /// A tunnel without a byte either way for so long, up to half as much longer, is closed.
  std::chrono::milliseconds idle_timeout{600'000};
};

/// BitTorrent between nodes, inside the mutual TLS of the port between nodes, so that members alone
/// speak it. The session of BitTorrent itself (session.h) has only addresses of the loopback to do
/// with: for each peer there is one in 127.64.0.0/10. A connection to it goes to the peer,
///
///   BitTorrent -> 127.64.0.9:PORT -> TLS -> GET /cluster/v1/swarm/DIGEST -> 127.0.0.1:PORT
///
/// and one from the peer comes from it. Which torrent it is about is read from the first bytes
/// (BEP 3), and the peer makes sure that it shares that torrent before the bytes go on.
///
/// Thread-safe. Has threads of its own for outgoing tunnels; those that peers open are on the loops
/// of the server that calls serve().
class SwarmTunnels {
 public:
  /// What only the node's other parts know. Called on several threads; must not throw.
  struct Calls {
    /// The torrent of an info hash: 20 bytes, SHA-1's or the first of BEP 52's. Must not block.
    std::function<std::optional<Digest>(std::span<const char> info_hash)> digest_of;
    /// Makes sure that the session shares the content. May block. Fails with blob_unknown, and
    /// otherwise in any way.
    std::function<Result<void>(const Digest& digest)> prepare;
    /// Whether all of the content is here. Must not block.
    std::function<bool(const Digest& digest)> complete{};
    /// What the session received so far, of all content. Must not block.
    std::function<std::uint64_t()> received_bytes{};
  };

  /// `tls` shows this node's certificate, and accepts those that carry the id of the peer; without
  /// it, `http` addresses alone can be reached. `pool`, where prepare() runs, `peers` and whatever
  /// the calls need must be there until stop() has returned and no serve() is under way.
  SwarmTunnels(SwarmTunnelsConfig config, Peers& peers, std::shared_ptr<TlsContext> tls,
               asio::thread_pool& pool, Calls calls);
  /// Calls stop().
  ~SwarmTunnels();

  /// Where the local session reaches `peer`, whether that lives or not: `127.64.0.9:43211`, always
  /// the same. Cheap but for the first time. Fails with unavailable: after stop(), or when nothing
  /// more can be listened on.
  [[nodiscard]] Result<std::string> address_of(const std::string& peer);

  /// The node behind an address without its port, for connections either way.
  [[nodiscard]] std::optional<std::string> peer_at(const std::string& address) const;

  /// Whether a connection to the local session that comes from there is one of ours, and so from a
  /// member. Until the connection has ended.
  [[nodiscard]] bool admits(const std::string& address, std::uint16_t port) const;

  /// Why the last tunnel to `peer` could not be opened; nothing if it could. Fails, in these terms,
  /// with member_unknown (no such live node), unavailable, timed_out, denied (no trust by TLS, or
  /// the peer's 403), blob_unknown (it has no such content, or the info hash is of no torrent
  /// here), bad_request (what the session sent is not BitTorrent), too_many (outgoing_max) or io.
  [[nodiscard]] std::optional<Error> last_failure(const std::string& peer) const;

  /// Answers GET /cluster/v1/swarm/DIGEST with `Upgrade: bittorrent` from request.peer, which the
  /// caller has found to be a member: 101, and the connection leads to the local session. 400; 403
  /// without a certificate; 404 when there is no such content; 426 without that upgrade; 503 when
  /// it cannot be shared now, beyond incoming_max or takers_max, or after stop(). Errors carry a
  /// sentence as plain text.
  [[nodiscard]] asio::awaitable<Response> serve(Request& request);

  /// Tunnels that are open or about to be, either way.
  [[nodiscard]] std::size_t count() const;

  /// Ends all tunnels and waits for that, and for a prepare() that is under way. Blocks; not on a
  /// loop of the server or a thread of the pool. Idempotent.
  void stop();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace shoal

#pragma once

#include <string_view>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/thread_pool.hpp>

#include "p2p/swarm/swarm.h"
#include "registry/http/message.h"
#include "registry/node_runs.h"

namespace shoal {

/// Where the node's own API has it.
inline constexpr std::string_view kTorrentFilesPath = "/shoal/v1/torrents";

/// A way in for clients of BitTorrent that are no nodes, on this host: to see by other eyes what
/// the swarm does. Serves, on the node's own port,
///
///   GET  torrents/DIGEST            a .torrent file, with this node as its tracker
///   GET  torrents/DIGEST/announce   that tracker (tracker.h)
///   POST torrents?repository=NAME   fetches what the .torrent file in the body names, from its
///                                   peers, as a blob of NAME; streams its progress and the result
///                                   (LongRun): {"digest":"sha256:...","bytes":1,"arrived_bytes":1}
///
/// Thread-safe.
class OpenSwarm {
 public:
  /// All must outlive it. `blocking` runs what may wait for a disk or other nodes. Unless the swarm
  /// is `open`, everything is refused.
  OpenSwarm(Swarm& swarm, asio::thread_pool& blocking, bool open)
      : swarm_(swarm), blocking_(blocking), open_(open) {}

  [[nodiscard]] asio::awaitable<Response> serve(Request& request);

  /// Ends what is under way and waits for it.
  void stop() { fetch_.stop(); }

 private:
  [[nodiscard]] asio::awaitable<Response> file(const Request& request, const Digest& digest);
  [[nodiscard]] asio::awaitable<Response> announce(const Request& request, const Digest& digest);
  [[nodiscard]] asio::awaitable<Response> fetch(Request& request);

  Swarm& swarm_;
  asio::thread_pool& blocking_;
  const bool open_;
  LongRun fetch_{"a fetch from other clients"};
};

}  // namespace shoal

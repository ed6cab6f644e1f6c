#pragma once

#include <atomic>
#include <string>
#include <string_view>

#include <boost/asio/awaitable.hpp>

#include "p2p/swarm/swarm.h"
#include "registry/http/message.h"
#include "registry/node_runs.h"
#include "storage/store.h"

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
/// Whoever is not on this host is answered 403, by whatever address it came in. Thread-safe.
class OpenSwarm {
 public:
  /// Both must outlive it. Unless the swarm is `open`, everything is refused.
  OpenSwarm(Store& store, Swarm& swarm, bool open) : store_(store), swarm_(swarm), open_(open) {}

  [[nodiscard]] asio::awaitable<Response> serve(Request& request);

  /// Ends what is under way and waits for it.
  void stop() { fetch_.stop(); }

 private:
  [[nodiscard]] asio::awaitable<Response> file(const Request& request, const Digest& digest);
  [[nodiscard]] asio::awaitable<Response> announce(const Request& request, const Digest& digest);
  [[nodiscard]] asio::awaitable<Response> fetch(Request& request);

  /// Waits until it is a blob of the repository; on the run's thread.
  [[nodiscard]] Result<std::string> fetch(const Repository& repository, const TorrentFile& file,
                                          const LongRun::Report& report,
                                          const std::atomic<bool>& stop);

  Store& store_;
  Swarm& swarm_;
  const bool open_;
  LongRun fetch_{"a fetch from other clients"};
};

}  // namespace shoal

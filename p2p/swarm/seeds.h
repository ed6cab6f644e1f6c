#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <mutex>

#include "p2p/swarm/session.h"
#include "p2p/swarm/torrents.h"

namespace shoal {

/// Keeps in the session what other nodes use, and nothing else: a torrent comes when somebody asks
/// for it, and goes when nobody has taken anything for a while, or the content is gone. So what is
/// held and not asked for costs neither memory nor time.
///
/// Thread-safe; calls may block on the disk.
class SwarmSeeds {
 public:
  /// Whether the content is on its way here: then its torrent is left alone.
  using Arriving = std::function<bool(const Digest& digest)>;

  /// All must outlive it. `idle`: so long a torrent stays unused.
  SwarmSeeds(Store& store, SwarmSession& session, TorrentKind kind, std::chrono::milliseconds idle,
             Arriving arriving);
  /// Calls stop().
  ~SwarmSeeds();

  /// The torrent of content that is here; fails as Torrents::of() does.
  [[nodiscard]] Result<Torrent> torrent(const Digest& digest) { return torrents_.of(digest); }
  /// As Torrents::made().
  [[nodiscard]] Result<std::optional<Torrent>> made_torrent(const Digest& digest) {
    return torrents_.made(digest);
  }

  /// Makes sure that the session shares the content, and goes on to for a while. Fails as torrent()
  /// does, or with io.
  [[nodiscard]] Result<void> prepare(const Digest& digest);
  /// Takes out of the session what was not used; every few seconds.
  void drop_idle();

  /// Ends what is under way; idempotent.
  void stop() { torrents_.stop(); }

 private:
  void touch(const Digest& digest);

  using Steady = std::chrono::steady_clock;
  struct Use {
    Steady::time_point last = Steady::now();
    std::uint64_t sent_bytes = 0;
  };

  Store& store_;
  SwarmSession& session_;
  const std::chrono::milliseconds idle_;
  const Arriving arriving_;
  std::mutex mutex_;
  std::map<Digest, Use> uses_;  // Guarded by the mutex.
  Torrents torrents_;           // Last: its thread calls back.
};

}  // namespace shoal

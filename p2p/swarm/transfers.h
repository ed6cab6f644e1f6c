#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <boost/asio/thread_pool.hpp>

#include "p2p/barred_peers.h"
#include "p2p/directory.h"
#include "p2p/directory_messages.h"
#include "p2p/peer_clients.h"
#include "p2p/swarm/ended.h"
#include "p2p/swarm/layer_turns.h"
#include "p2p/swarm/session.h"
#include "p2p/swarm/torrent_claims.h"
#include "p2p/swarm/torrent_file.h"
#include "p2p/swarm/transfer.h"
#include "p2p/swarm/tunnels.h"
#include "storage/store.h"

namespace shoal {

struct SwarmTransfersConfig {
  /// A transfer without a byte for so long looks for other peers, and asks holders over HTTPS,
  std::chrono::milliseconds stall{2000};
  /// and for so long has failed.
  std::chrono::milliseconds progress_timeout{30'000};
  /// So long a node is not asked whose torrent turned out to be of other content; shorter when it
  /// may have been another one's fault.
  std::chrono::milliseconds barred{600'000};
  std::chrono::milliseconds barred_in_company{30'000};
  std::size_t peers_max = 40;  // That one transfer connects to.
  /// Of those that fetch the same, at a time; as many connect to this node. Each is told of each
  /// piece, and a dozen is enough to have something to give and to ask for.
  std::size_t fetchers_max = kLookupFetchersFirst;
  TorrentKind kind = TorrentKind::v2;  // That nodes of this cluster make.
  /// Bytes a second that all transfers of the class replication get together; 0: no limit.
  std::uint64_t copies_rate = 0;
  /// What the session receives at most, bytes a second; 0: no limit.
  std::uint64_t receive_rate = 0;
};

/// What the transfers work with; all of it must outlive them.
struct SwarmTransfersParts {
  Store& store;
  Directory& directory;
  PeerClients& clients;
  SwarmSession& session;
  SwarmTunnels& tunnels;
};

/// A transfer that is under way, and how it goes.
struct SwarmGoing {
  using Steady = std::chrono::steady_clock;

  std::shared_ptr<SwarmTransfer> transfer;
  std::atomic<std::uint64_t> https_bytes{0};             // That came over HTTPS.
  std::atomic<Steady::time_point> moved{Steady::now()};  // When the last byte came.
  std::atomic<std::uint64_t> rate{0};       // bytes a second, of the last second or so,
  std::atomic<std::uint64_t> best_rate{0};  // and of its fastest.
};

/// The transfers of one node: begins them, watches that they move, and ends them.
///
/// Thread-safe. Has threads of its own: one that watches, and those that wait for other nodes and
/// the disk.
class SwarmTransfers {
 public:
  SwarmTransfers(SwarmTransfersConfig config, SwarmTransfersParts parts);
  /// Calls stop().
  ~SwarmTransfers();

  using Begun = Result<std::shared_ptr<SwarmTransfer>>;
  /// As Swarm::join(), Swarm::begin() and Swarm::find().
  [[nodiscard]] Begun join(const Repository& repository, const Digest& digest, SwarmClass of_class);
  [[nodiscard]] Begun join(const Repository& repository, const TorrentFile& file);
  void begin(const Repository& repository, const std::vector<Digest>& digests, SwarmClass of_class);
  [[nodiscard]] std::shared_ptr<const SwarmGoing> find(const Digest& digest) const;

  // What the session says; none of them blocks.
  void piece_arrived(const Digest& digest);
  void given(const Digest& digest, const std::vector<std::uint32_t>& pieces);
  void finished(const Digest& digest);
  void failed(const Digest& digest, const Error& error);

  struct Counts {
    std::uint64_t now = 0;
    std::uint64_t finished = 0;
    std::uint64_t finished_bytes = 0;
    std::uint64_t failed = 0;
    std::uint64_t wrong = 0;  // Contents that were not what their digest says.
    std::uint64_t https_bytes = 0;
  };
  [[nodiscard]] Counts counts() const;
  /// Those that ended last, the last of them first.
  [[nodiscard]] std::vector<SwarmEnded> ended() const;

  /// Fails what is under way with unavailable, soon, and begins nothing any more. Does not block.
  void interrupt();
  /// The same, and waits for the threads. Calls of `clients` must be interrupted first. Idempotent.
  void stop();

 private:
  struct Going;
  using GoingPtr = std::shared_ptr<Going>;
  using Start = std::promise<Begun>;

  // On a caller's thread, or a worker's.
  /// Has one of those that want the same content begin it; the others wait for that.
  [[nodiscard]] Begun once(const Digest& digest, SwarmClass of_class,
                           const std::function<Begun()>& begin);
  [[nodiscard]] Begun begin_one(const Repository& repository, const Digest& digest,
                                SwarmClass of_class, const Directory::Found& found);
  [[nodiscard]] Begun begin_with(const Repository& repository, const TorrentClaim& claim,
                                 const std::vector<std::string>& trackers, SwarmClass of_class,
                                 const Directory::Found& found);
  void begin_all(const Repository& repository, const std::vector<Digest>& wanted,
                 const std::vector<std::shared_ptr<Start>>& starts, SwarmClass of_class);
  void started(const Digest& digest, Start& start, Begun begun);
  void plan(Going& of);
  [[nodiscard]] std::vector<std::string> addresses(Going& going, const Directory::Found& found);
  [[nodiscard]] std::size_t connected(const Digest& digest) const;
  [[nodiscard]] std::string tunnel_trouble(const Going& of) const;
  void commit(const GoingPtr& of);
  /// `discard`: what came is not the content's.
  void end(const GoingPtr& of, Result<void> how, bool discard = false);
  void look(const GoingPtr& of);
  void fill(const GoingPtr& of, const Directory::Found& found);
  [[nodiscard]] bool all_about(const Going& of) const;
  void refuse_claim(const GoingPtr& of, const std::set<std::string>& others, const Error& why);

  // On the watching thread.
  void watch();
  void limit(const std::vector<GoingPtr>& all);
  void look_at(const GoingPtr& of);

  [[nodiscard]] GoingPtr going(const Digest& digest) const;
  [[nodiscard]] std::vector<GoingPtr> all_going() const;
  /// Has `work` end it; nothing if somebody else does already.
  void end_with(const GoingPtr& of, std::function<void()> work);
  [[nodiscard]] bool is_ending(const Going& of) const;

  const SwarmTransfersConfig config_;
  const SwarmTransfersParts parts_;
  BarredPeers barred_;
  TorrentClaims claims_;
  LayerTurns layers_;
  std::atomic<std::uint64_t> https_bytes_{0};
  std::atomic<bool> saturated_{false};  // As much comes as may, or nearly.

  mutable std::mutex mutex_;  // Guards what follows.
  std::condition_variable wake_;
  bool stopping_ = false;
  std::map<Digest, GoingPtr> transfers_;
  std::map<Digest, std::shared_future<Begun>> starts_;  // Not in transfers_ yet.
  Counts counts_;
  std::deque<SwarmEnded> ended_;

  asio::thread_pool workers_;  // What waits for other nodes, perhaps for long,
  asio::thread_pool enders_;   // and what ends transfers, which must not wait behind that.
  std::atomic<unsigned> fills_{0};
  std::thread watcher_;
};

}  // namespace shoal

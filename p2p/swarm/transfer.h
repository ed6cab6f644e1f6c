#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include "p2p/torrent.h"
#include "storage/arrivals.h"

namespace shoal {

/// What content is fetched for, the most urgent first: a client that waits, a client that may come,
/// copies for the bad day. On one node, each holds back those behind it; the last can be held back
/// always (SwarmRates).
enum class SwarmClass { demand, prefetch, replication };

[[nodiscard]] std::string_view to_string(SwarmClass value);

/// Content on its way into the store by the swarm: one transfer of each digest, however many want
/// it. It goes on when nobody reads any more, until the content is a blob or it fails.
///
/// What can be read was checked against the torrent, which is another node's claim; the whole
/// digest is checked at the end.
///
/// Thread-safe.
class SwarmTransfer {
 public:
  /// Called when a reader begins to wait for a piece.
  using Waiting = std::function<void()>;

  SwarmTransfer(Repository repository, Torrent torrent, std::string claimed_by, SwarmClass of_class,
                std::shared_ptr<Arrival> arrival, Waiting waiting);

  [[nodiscard]] const Repository& repository() const { return repository_; }
  [[nodiscard]] const Torrent& torrent() const { return torrent_; }
  /// Who gave the torrent; "" for one that was kept here.
  [[nodiscard]] const std::string& claimed_by() const { return claimed_by_; }
  [[nodiscard]] const std::shared_ptr<Arrival>& arrival() const { return arrival_; }
  [[nodiscard]] std::chrono::steady_clock::time_point started() const { return started_; }
  [[nodiscard]] SwarmClass of_class() const { return class_; }
  /// Somebody waits who is more important.
  void raise(SwarmClass to);

  /// As Arrival::read(), but waits until the piece is here. Fails as the transfer does, when it
  /// fails before; with Wait::no with would_block.
  [[nodiscard]] Result<BlobBytes> read(std::uint64_t offset, std::size_t max, Wait wait);

  /// Waits until the content is a blob: durable on return. Fails with timed_out (no byte came for
  /// the progress timeout), unavailable (nobody has it, or the node stops), digest_invalid (it is
  /// not what the digest says), disk_full, quota_exceeded or io.
  [[nodiscard]] Result<void> wait();

  /// As wait(), but for so long at most: nothing while it goes on.
  [[nodiscard]] std::optional<Result<void>> wait_for(std::chrono::milliseconds patience);

  /// Until then at most; whether the piece is here.
  [[nodiscard]] bool wait_for_piece(std::uint32_t piece, std::chrono::milliseconds patience);

  [[nodiscard]] bool ended() const;
  /// The pieces that readers wait for, or did a moment ago: from there on they read.
  [[nodiscard]] std::set<std::uint32_t> waited_for() const;

  // For Swarm.

  void piece_arrived();
  /// The first call counts.
  void end(Result<void> how);

 private:
  void note(std::uint32_t piece);

  const Repository repository_;
  const Torrent torrent_;
  const std::string claimed_by_;
  const std::shared_ptr<Arrival> arrival_;
  const Waiting waiting_;
  const std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
  std::atomic<SwarmClass> class_;

  mutable std::mutex mutex_;  // Guards what follows.
  std::condition_variable changed_;
  std::multiset<std::uint32_t> waited_for_;
  std::map<std::uint32_t, std::chrono::steady_clock::time_point> had_;  // Since when.
  std::optional<Result<void>> end_;
};

}  // namespace shoal

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bench/sim/event_queue.h"
#include "p2p/swarm/transfer.h"
#include "p2p/swarm/transfers.h"
#include "p2p/swarm/tunnels.h"

namespace shoal::sim {

/// The workloads of the swarm lab (docs/benchmarks.md) that are simulated.
enum class Workload {
  w1,  // One warm seed, and all others want the blob at the same moment.
  w3,  // The same with an image of several layers.
  w6,  // One host after the other, and a late one when all are done.
  w7,  // Half way, the seed and three of ten hosts die; a replica, host 1, has it from the start.
  w9,  // All prefetch one blob; then all want another one at once.
};

/// What a world is made of. Rates are bytes a second.
struct Options {
  Workload workload = Workload::w1;
  std::size_t hosts = 20;  // Beside the seed.
  std::uint64_t bytes = 96 << 20;
  std::size_t layers = 1;  // Of so many bytes each.
  double up = 8e6, down = 8e6, seed_up = 8e6;
  bool readers = false;  // On each host a client reads while it comes, three layers at a time.
  std::uint64_t seed = 1;

  Time latency = std::chrono::microseconds(100);  // One way.
  Time start_within = std::chrono::milliseconds(20);
  Time arrival_every = std::chrono::seconds(2);  // W6.
  /// Blocks of BitTorrent that are one unit; 0: as many as keep a run to some minutes.
  std::uint32_t unit_blocks = 0;
  Time end_at = std::chrono::hours(24);  // Simulated: a world that goes on ends here.

  // The swarm's policies, as far as they are numbers: those of the product unless told otherwise.
  std::size_t peers_max = SwarmTransfersConfig{}.peers_max;
  std::size_t fetchers_max = SwarmTransfersConfig{}.fetchers_max;
  Time beat = std::chrono::milliseconds(100);
  std::uint64_t piece_bytes = 0;  // 0: piece_bytes_for().
  /// That one who has all serves at once; 0: as many as come.
  std::size_t seed_peers = SwarmTunnelsConfig{}.takers_max;
  int queue_blocks = 0;  // Requests that a peer may have waiting; 0: RequestQueue's.
};

/// One blob, who has it at the start and who wants it when.
struct BlobPlan {
  std::uint64_t bytes = 0;
  SwarmClass of_class = SwarmClass::demand;
  Time wanted{0};  // By all hosts; the arrival of a host comes on top.
};

/// The blobs of a workload. In W9 the second one is wanted when a quarter of the bound of the first
/// has passed.
[[nodiscard]] std::vector<BlobPlan> blobs_of(const Options& options);

/// When `hosts` can have `bytes` at the earliest of seeds that send `seeds_up` together, in
/// seconds: the largest of F/u_s, F/d and N F/(u_s + N u) (Kumar and Ross, 2006).
[[nodiscard]] double bound_seconds(const Options& options, double bytes, double seeds_up,
                                   std::size_t hosts);

/// Of the workload, with which its figures are compared. W6: of one host alone. W9: of the second
/// blob. W7: half of the blob from two seeds to all, then half of it from the replica to those that
/// are left; death() is between the two.
[[nodiscard]] double bound_seconds(const Options& options);
[[nodiscard]] Time death(const Options& options);
/// How many die with the seed.
[[nodiscard]] std::size_t victims(const Options& options);

/// Blocks in a unit: one, until a run has 16 million units; then two, four, up to a whole piece.
[[nodiscard]] std::uint32_t unit_blocks_of(const Options& options, std::uint64_t piece_bytes);

}  // namespace shoal::sim

#include "bench/sim/options.h"

#include <algorithm>

#include "p2p/torrent.h"

namespace shoal::sim {

std::vector<BlobPlan> blobs_of(const Options& options) {
  std::vector<BlobPlan> blobs(options.layers, {options.bytes, SwarmClass::demand, Time(0)});
  if (options.workload != Workload::w9) return blobs;
  const double bound = bound_seconds(options, static_cast<double>(options.bytes));
  const auto quarter = std::chrono::duration_cast<Time>(std::chrono::duration<double>(bound / 4));
  return {{options.bytes, SwarmClass::prefetch, Time(0)},
          {options.bytes, SwarmClass::demand, quarter}};
}

double bound_seconds(const Options& options, double bytes) {
  const auto hosts = static_cast<double>(options.hosts);
  return std::max({bytes / options.seed_up, bytes / options.down,
                   hosts * bytes / (options.seed_up + hosts * options.up)});
}

std::uint32_t unit_blocks_of(const Options& options, std::uint64_t piece_bytes) {
  if (options.unit_blocks > 0) return options.unit_blocks;
  constexpr double kUnitsMax = 16e6;
  const auto blocks_of_piece = static_cast<std::uint32_t>(piece_bytes / kBlockBytes);
  const double blocks = static_cast<double>(options.bytes) / static_cast<double>(kBlockBytes) *
                        static_cast<double>(options.hosts * options.layers);
  std::uint32_t unit = 1;
  while (unit < blocks_of_piece && blocks / unit > kUnitsMax) unit *= 2;
  return unit;
}

}  // namespace shoal::sim

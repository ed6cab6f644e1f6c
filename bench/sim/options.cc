#include "bench/sim/options.h"

#include <algorithm>

#include "p2p/torrent.h"

namespace shoal::sim {

std::vector<BlobPlan> blobs_of(const Options& options) {
  std::vector<BlobPlan> blobs(options.layers, {options.bytes, SwarmClass::demand, Time(0)});
  if (options.workload != Workload::w9) return blobs;
  const auto quarter =
      std::chrono::duration_cast<Time>(std::chrono::duration<double>(bound_seconds(options) / 4));
  return {{options.bytes, SwarmClass::prefetch, Time(0)},
          {options.bytes, SwarmClass::demand, quarter}};
}

double bound_seconds(const Options& options, double bytes, double seeds_up, std::size_t hosts) {
  const auto count = static_cast<double>(hosts);
  return std::max(
      {bytes / seeds_up, bytes / options.down, count * bytes / (seeds_up + count * options.up)});
}

std::size_t victims(const Options& options) {
  constexpr double kDying = 0.3;
  return static_cast<std::size_t>(kDying * static_cast<double>(options.hosts - 1));
}

Time death(const Options& options) {
  const auto bytes = static_cast<double>(options.bytes);
  const double all = bound_seconds(options, bytes, options.seed_up + options.up, options.hosts - 1);
  return std::chrono::duration_cast<Time>(std::chrono::duration<double>(all / 2));
}

double bound_seconds(const Options& options) {
  const auto bytes = static_cast<double>(options.bytes);
  switch (options.workload) {
    case Workload::w1:
    case Workload::w9: return bound_seconds(options, bytes, options.seed_up, options.hosts);
    case Workload::w3:
      return bound_seconds(options, bytes * static_cast<double>(options.layers), options.seed_up,
                           options.hosts);
    case Workload::w6: return bytes / options.down;
    case Workload::w7:
      return std::chrono::duration<double>(death(options)).count() +
             bound_seconds(options, bytes / 2, options.up, options.hosts - 1 - victims(options));
  }
  return 0;
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

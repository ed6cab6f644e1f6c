// shoal_bench_sim: one world of the swarm's simulation, as one line of JSON. bench/sim.py decides
// which worlds to run; docs/benchmarks.md says what is modelled.

#include <map>
#include <string>

#include <CLI/CLI.hpp>

#include "bench/fatal.h"
#include "bench/sim/report.h"
#include "bench/sim/world.h"
#include "p2p/torrent.h"

namespace shoal::sim {
namespace {

const std::map<std::string, Workload> kWorkloads = {{"W1", Workload::w1},
                                                    {"W3", Workload::w3},
                                                    {"W6", Workload::w6},
                                                    {"W7", Workload::w7},
                                                    {"W9", Workload::w9}};

int run(int argc, char** argv) {
  CLI::App app("shoal_bench_sim: simulates the swarm of many hosts, and prints how it went");
  Options options;
  double mbit = 64;
  double seed_mbit = 0;
  double latency_us = 100;
  double beat_ms = 100;
  double within_ms = 20;
  double end_s = 24 * 3600;
  app.add_option("--workload", options.workload)->transform(CLI::CheckedTransformer(kWorkloads));
  app.add_option("--hosts", options.hosts, "beside the seed");
  app.add_option("--size", options.bytes, "bytes of a blob");
  app.add_option("--layers", options.layers);
  app.add_option("--mbit", mbit, "of each host, up and down, in Mbit/s");
  app.add_option("--seed-mbit", seed_mbit, "of the seed, up (as all)");
  app.add_flag("--readers", options.readers, "a client reads on each host");
  app.add_option("--seed", options.seed, "of what is random");
  app.add_option("--latency-us", latency_us, "one way");
  app.add_option("--start-within-ms", within_ms, "of each other all hosts start");
  app.add_option("--unit-blocks", options.unit_blocks, "blocks sent at once (as a run allows)");
  app.add_option("--peers-max", options.peers_max);
  app.add_option("--fetchers-max", options.fetchers_max);
  app.add_option("--beat-ms", beat_ms);
  app.add_option("--piece-bytes", options.piece_bytes);
  app.add_option("--seed-peers", options.seed_peers);
  app.add_option("--queue-blocks", options.queue_blocks);
  app.add_option("--end-s", end_s, "simulated seconds");
  CLI11_PARSE(app, argc, argv);

  const auto time = [](double seconds) {
    return std::chrono::duration_cast<Time>(std::chrono::duration<double>(seconds));
  };
  constexpr double kBytesPerMbit = 125'000;
  options.up = options.down = mbit * kBytesPerMbit;
  options.seed_up = (seed_mbit > 0 ? seed_mbit : mbit) * kBytesPerMbit;
  options.latency = time(latency_us / 1e6);
  options.beat = time(beat_ms / 1e3);
  options.start_within = time(within_ms / 1e3);
  options.end_at = time(end_s);
  const std::size_t least = options.workload == Workload::w7 ? 4 : 1;
  const bool fits = options.hosts >= least && options.layers > 0 && mbit > 0 && latency_us >= 0 &&
                    beat_ms >= 1 && options.bytes >= kSwarmBytesMin &&
                    options.piece_bytes % kBlockBytes == 0;
  if (!fits) {
    bench::fatal("at least one host and one layer of 2 MiB, a rate, and beats of 1 ms, please");
  }
  World world(options);
  world.run();
  bench::print(report(world));
  return 0;
}

}  // namespace
}  // namespace shoal::sim

int main(int argc, char** argv) { return shoal::sim::run(argc, argv); }

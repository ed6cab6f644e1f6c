// shoal_bench_placement: one run of the placement's model, or of its speed, as one line of JSON.
// bench/placement.py decides what to run; docs/placement.md says what is modelled.

#include <map>
#include <memory>
#include <string>

#include <CLI/CLI.hpp>

#include "bench/fatal.h"
#include "bench/placement/model.h"
#include "bench/placement/rivals.h"
#include "bench/placement/speed.h"
#include "bench/report.h"

namespace shoal::bench {
namespace {

constexpr double kNoBound = 1e9;

std::unique_ptr<ModelPlacer> make_placer(const std::string& name, double load_bound) {
  if (name == "swarmkit") return make_swarmkit();
  if (name == "kubernetes") return make_kubernetes();
  PlacementOptions options;
  options.load_bound = load_bound;
  if (name == "unbounded") options.load_bound = kNoBound;
  if (name == "shoal" || name == "unbounded") return make_shoal(options, false);
  if (name == "in-place") return make_shoal(options, true);
  fatal("there is no placer " + name);
}

Report report_of(const ModelResult& result) {
  Report report;
  report.numbers["bytes_moved"] = static_cast<double>(result.bytes_moved);
  report.numbers["starts"] = static_cast<double>(result.starts);
  report.numbers["load_mean"] = result.load_mean;
  report.numbers["load_max"] = result.load_max;
  report.numbers["load_peak"] = result.load_peak;
  return report;
}

int run(int argc, char** argv) {
  CLI::App app("shoal_bench_placement: places, and prints what came of it");
  app.require_subcommand(1);
  ModelOptions model;
  std::string placer = "shoal";
  double load_bound = PlacementOptions{}.load_bound;
  auto* model_command = app.add_subcommand("model", "Services that change on a cluster's hosts");
  model_command->add_option("--placer", placer, "swarmkit, kubernetes, shoal, unbounded, in-place");
  model_command->add_option("--load-bound", load_bound, "of shoal: times the mean load");
  model_command->add_option("--hosts", model.hosts);
  model_command->add_option("--services", model.services);
  model_command->add_option("--changes", model.changes);
  model_command->add_option("--cache-bytes", model.cache_bytes);
  model_command->add_option("--seed", model.seed);
  SpeedOptions speed;
  auto* speed_command = app.add_subcommand("speed", "Many slots at once");
  speed_command->add_option("--hosts", speed.hosts);
  speed_command->add_option("--slots", speed.slots);
  speed_command->add_option("--services", speed.services);
  speed_command->add_flag("--explain", speed.explain);
  speed_command->add_option("--seed", speed.seed);
  CLI11_PARSE(app, argc, argv);
  const auto placing = make_placer(placer, load_bound);
  print(model_command->parsed() ? report_of(run_model(model, *placing)) : measure_speed(speed));
  return 0;
}

}  // namespace
}  // namespace shoal::bench

int main(int argc, char** argv) { return shoal::bench::run(argc, argv); }

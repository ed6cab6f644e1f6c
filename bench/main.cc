// shoal_bench: the load generator of the benchmarks. Does one operation against one server, checks
// every answer, and prints one line of JSON. bench/registry.py decides what to run and in which
// order, and accounts for the servers; docs/benchmarks.md explains the whole.

#include <functional>
#include <map>
#include <string>

#include <CLI/CLI.hpp>

#include "bench/catalog.h"
#include "bench/content.h"
#include "bench/directory.h"
#include "bench/floor.h"
#include "bench/scale.h"
#include "bench/small.h"
#include "bench/transfer.h"

namespace shoal::bench {
namespace {

const std::map<std::string, PushMode> kPushModes = {
    {"put", PushMode::put}, {"chunks", PushMode::chunks}, {"stream", PushMode::stream}};

const std::map<std::string, std::function<Report(const FloorOptions&)>> kFloors = {
    {"hash", floor_hash},
    {"write", floor_write},
    {"send", floor_send},
    {"direct", floor_direct},
    {"push-direct", floor_push_direct},
    {"receive", floor_receive},
    {"push", floor_push},
    {"answer", floor_answer},
    {"sync", floor_sync}};

/// A subcommand whose `run` is called when it was named, with `--server` given.
class Command {
 public:
  Command(CLI::App& app, const std::string& name, const std::string& help, Report& report)
      : app_(*app.add_subcommand(name, help)), report_(report) {}

  template <class T>
  Command& option(const std::string& name, T& value, bool required = false) {
    app_.add_option(name, value)->required(required);
    return *this;
  }

  Command& server(Address& address) {
    app_.add_option_function<std::string>(
            "--server", [&address](const std::string& text) { address = Address::parse(text); },
            "HOST:PORT")
        ->required();
    return *this;
  }

  CLI::App& app() { return app_; }

  void run(std::function<Report()> work) {
    app_.callback([&report = report_, work = std::move(work)] { report = work(); });
  }

 private:
  CLI::App& app_;
  Report& report_;
};

void add_transfers(CLI::App& app, Report& report, PushOptions& push_options,
                   PullOptions& pull_options) {
  Command push_command(app, "push", "Push large blobs", report);
  push_command.server(push_options.server)
      .option("--repository", push_options.repository, true)
      .option("--size", push_options.size, true)
      .option("--chunk", push_options.chunk_bytes)
      .option("--parallel", push_options.parallel)
      .option("--seed", push_options.seed);
  push_command.app()
      .add_option("--mode", push_options.mode)
      ->transform(CLI::CheckedTransformer(kPushModes));
  push_command.run([&push_options] { return push(push_options); });

  Command pull_command(app, "pull", "Pull a large blob", report);
  pull_command.server(pull_options.server)
      .option("--repository", pull_options.repository, true)
      .option("--digest", pull_options.digest, true)
      .option("--size", pull_options.size, true)
      .option("--parallel", pull_options.parallel)
      .run([&pull_options] { return pull(pull_options); });
}

void add_small(CLI::App& app, Report& report, GetOptions& get_options,
               SmallPushOptions& small_options, MountOptions& mount_options) {
  Command get_command(app, "get", "The same small request over and over", report);
  get_command.server(get_options.server)
      .option("--target", get_options.target, true)
      .option("--seconds", get_options.seconds)
      .option("--connections", get_options.connections)
      .option("--length", get_options.length)
      .option("--digest", get_options.digest);
  get_command.app().add_flag("--head", get_options.head);
  get_command.run([&get_options] { return get(get_options); });

  Command small_command(app, "small-push", "Push small blobs", report);
  small_command.server(small_options.server)
      .option("--repository", small_options.repository, true)
      .option("--count", small_options.count, true)
      .option("--size", small_options.size)
      .option("--connections", small_options.connections)
      .option("--seed", small_options.seed);
  small_command.app().add_flag("--single-post", small_options.single_post);
  small_command.run([&small_options] { return small_push(small_options); });

  Command mount_command(app, "mount", "Push blobs that exist: HEAD, then mount", report);
  mount_command.server(mount_options.server)
      .option("--from", mount_options.from, true)
      .option("--repository", mount_options.repository, true)
      .option("--count", mount_options.count, true)
      .option("--size", mount_options.size)
      .option("--connections", mount_options.connections)
      .option("--seed", mount_options.seed)
      .run([&mount_options] { return mount(mount_options); });
}

void add_catalog(CLI::App& app, Report& report, ImageOptions& image_options,
                 WalkOptions& walk_options) {
  Command image_command(app, "image", "Push a small image under many names", report);
  image_command.server(image_options.server)
      .option("--repository", image_options.repository, true)
      .option("--tags", image_options.tags)
      .option("--repositories", image_options.repositories)
      .option("--connections", image_options.connections)
      .option("--seed", image_options.seed)
      .run([&image_options] { return push_image(image_options); });

  Command walk_command(app, "walk", "Follow a paged list to its end", report);
  walk_command.server(walk_options.server)
      .option("--target", walk_options.target, true)
      .option("--prefix", walk_options.prefix)
      .option("--entries", walk_options.entries, true)
      .option("--walks", walk_options.walks)
      .run([&walk_options] { return walk(walk_options); });
}

void add_scale(CLI::App& app, Report& report, ScaleOptions& options) {
  Command(app, "scale", "Fill a store, and ask it", report)
      .option("--dir", options.directory, true)
      .option("--blobs", options.blobs)
      .option("--tags", options.tags)
      .option("--threads", options.threads)
      .run([&options] { return scale(options); });
}

void add_directory(CLI::App& app, Report& report, DirectoryOptions& options) {
  Command(app, "directory", "Announce the content of a simulated cluster", report)
      .option("--nodes", options.nodes)
      .option("--blobs", options.blobs)
      .option("--shared", options.shared)
      .option("--idle-minutes", options.idle_minutes)
      .run([&options] { return directory(options); });
}

void add_warm(CLI::App& app, std::size_t& size) {
  CLI::App& warm = *app.add_subcommand("warm", "Touch so much memory once, and give it back");
  warm.add_option("--size", size)->required();
  warm.callback([&size] { const Buffer touched(size); });
}

void add_floors(CLI::App& app, Report& report, FloorOptions& options) {
  CLI::App& floor = *app.add_subcommand("floor", "What the machine charges without a registry");
  floor.require_subcommand(1);
  for (const auto& [name, measure] : kFloors) {
    Command command(floor, name, "", report);
    command.option("--dir", options.directory)
        .option("--size", options.size)
        .option("--seed", options.seed)
        .option("--seconds", options.seconds)
        .option("--connections", options.connections)
        .option("--step", options.step)
        .run([&options, &work = measure] { return work(options); });
  }
}

int run(int argc, char** argv) {
  CLI::App app("shoal_bench: does one operation and prints what it took");
  app.require_subcommand(1);
  Report report;
  PushOptions push_options;
  PullOptions pull_options;
  GetOptions get_options;
  SmallPushOptions small_options;
  MountOptions mount_options;
  ImageOptions image_options;
  WalkOptions walk_options;
  FloorOptions floor_options;
  ScaleOptions scale_options;
  DirectoryOptions directory_options;
  std::size_t warm_bytes = 0;
  add_transfers(app, report, push_options, pull_options);
  add_small(app, report, get_options, small_options, mount_options);
  add_catalog(app, report, image_options, walk_options);
  add_floors(app, report, floor_options);
  add_scale(app, report, scale_options);
  add_directory(app, report, directory_options);
  add_warm(app, warm_bytes);
  CLI11_PARSE(app, argc, argv);
  print(report);
  return 0;
}

}  // namespace
}  // namespace shoal::bench

int main(int argc, char** argv) { return shoal::bench::run(argc, argv); }

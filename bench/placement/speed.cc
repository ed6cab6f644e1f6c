#include "bench/placement/speed.h"

#include <algorithm>
#include <chrono>
#include <fstream>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "bench/fatal.h"
#include "bench/placement/rivals.h"
#include "bench/sim/random.h"
#include "orchestrator/placement/placer.h"

namespace shoal::bench {
namespace {

constexpr std::uint64_t kMiB = 1 << 20;
constexpr std::uint32_t kBases = 8;
constexpr std::uint32_t kRuntimes = 4;
constexpr std::uint32_t kShared = kBases + kBases * kRuntimes;
constexpr std::uint32_t kForeign = 2000;  // Layers of images that nobody asks for now.
constexpr std::uint32_t kHeld = 60;       // Layers that a host has.

Expression must_parse(std::string_view text) {
  auto expression = Expression::parse(text);
  if (!expression) fatal(expression.error().message);
  return *std::move(expression);
}

std::vector<HostView> make_hosts(const SpeedOptions& options, sim::Random& random) {
  std::vector<HostView> hosts(options.hosts);
  for (std::uint32_t i = 0; i < hosts.size(); ++i) {
    HostView& host = hosts[i];
    host.name = fmt::format("host-{:04}", i);
    host.platform = {"linux", "amd64", ""};
    host.labels = {{"dc", i % 2 == 0 ? "west" : "east"}, {"rack", std::to_string(i / 40)}};
    host.memory_bytes = 64ULL << 30;
    host.cores = 16;
    host.cpu_mhz = 16 * 2600;
    host.disk_free_bytes = 400ULL << 30;
    for (std::uint32_t layer = 0; layer < kHeld; ++layer) {
      const auto id =
          random.below(2) == 0 ? random.below(kShared) : kShared + random.below(kForeign);
      HeldLayer held{digest_of(id), std::nullopt, false, true};
      if (random.below(10) == 0) held = {digest_of(id), random.below(20) * kMiB, true, false};
      host.layers.push_back(held);
    }
    for (std::uint32_t c = 0; c < random.below(10); ++c) {
      HostContainer container;
      container.name = fmt::format("old-{}-{}", i, c);
      container.service = fmt::format("old-{}", c);
      container.image = "old:1";
      container.resources.memory_bytes = 512 * kMiB;
      host.containers.push_back(std::move(container));
    }
  }
  return hosts;
}

std::vector<PlacementImage> make_images(const SpeedOptions& options, sim::Random& random) {
  const auto layer = [&](std::uint32_t id) {
    return PlacementLayer{digest_of(id), (10 + id % 7 * 20) * kMiB, 0};
  };
  std::vector<PlacementImage> images;
  for (std::uint32_t i = 0; i < options.services; ++i) {
    const auto base = random.below(kBases);
    const auto runtime = kBases + base * kRuntimes + random.below(kRuntimes);
    const auto own = kShared + kForeign + i * 4;
    PlacementImage image{fmt::format("app-{}:1", i), {{{"linux", "amd64", ""}, {}}}};
    for (const auto id : {base, runtime, own, own + 1, own + 2, own + 3}) {
      image.manifests[0].layers.push_back(layer(id));
    }
    images.push_back(std::move(image));
  }
  return images;
}

std::vector<PlacementRequest> make_requests(const SpeedOptions& options) {
  const auto west = must_parse("constraint:dc==we*");
  const auto apart = must_parse("affinity:tier!=~batch");
  std::vector<PlacementRequest> requests(options.slots);
  for (std::size_t i = 0; i < options.slots; ++i) {
    auto& request = requests[i];
    const auto service = i * options.services / options.slots;
    request.service = fmt::format("app-{}", service);
    request.slot = fmt::format("app-{}-scale-{}", service, i);
    request.image = request.service + ":1";
    request.resources.memory_bytes = (64 + service % 4 * 64) * kMiB;
    request.resources.cpu_thousandths = 100;
    if (service % 3 == 1) request.ports = {{"", static_cast<std::uint16_t>(8000 + service % 500)}};
    if (service % 4 == 0) request.expressions = {west};
    if (service % 5 == 0) {
      request.expressions.push_back(apart);
      request.labels = {{"tier", service % 10 == 0 ? "batch" : "web"}};
    }
    if (service % 2 == 0) request.spread = {{"rack", 1}};
  }
  return requests;
}

/// A line of /proc/self/status, in bytes.
std::uint64_t memory_line(const std::string& field) {
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);) {
    if (line.rfind(field + ":", 0) == 0) {
      return std::stoull(line.substr(field.size() + 1)) * 1024;
    }
  }
  return 0;
}

/// From here on VmHWM is the peak of what comes (proc(5), clear_refs).
void reset_peak() { std::ofstream("/proc/self/clear_refs") << "5"; }

}  // namespace

Report measure_speed(const SpeedOptions& options) {
  sim::Random random(options.seed);
  const auto hosts = make_hosts(options, random);
  const auto images = make_images(options, random);
  const auto requests = make_requests(options);
  PlacementOptions placement_options;
  placement_options.explain = options.explain;

  reset_peak();
  const auto before = memory_line("VmRSS");
  const auto start = std::chrono::steady_clock::now();
  const auto placement = place(requests, hosts, images, placement_options);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  if (!placement) fatal(placement.error().message);
  const auto placed = std::count_if(placement->slots.begin(), placement->slots.end(),
                                    [](const SlotDecision& slot) { return slot.node.has_value(); });
  Report report;
  report.numbers["seconds"] = seconds.count();
  report.numbers["memory_bytes"] = static_cast<double>(memory_line("VmHWM") - before);
  report.numbers["placed"] = static_cast<double>(placed);
  return report;
}

}  // namespace shoal::bench

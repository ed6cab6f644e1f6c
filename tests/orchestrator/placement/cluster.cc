#include "tests/orchestrator/placement/cluster.h"

#include <algorithm>
#include <random>
#include <stdexcept>

#include <fmt/format.h>

namespace shoal {
namespace {

/// Draws. Sequences are the same wherever the tests run: no distributions of the library.
class Dice {
 public:
  explicit Dice(std::uint64_t seed) : engine_(seed) {}
  std::uint32_t below(std::uint32_t bound) { return static_cast<std::uint32_t>(engine_() % bound); }
  bool one_in(std::uint32_t chances) { return below(chances) == 0; }
  template <class T>
  const T& of(const std::vector<T>& values) {
    return values[below(static_cast<std::uint32_t>(values.size()))];
  }

 private:
  std::mt19937_64 engine_;
};

const std::vector<std::string> kExpressions = {
    "constraint:dc==west",          "constraint:dc!=east",         "constraint:dc==/(?i)^W/",
    "constraint:node==host-1*",     "constraint:node!=host-2",     "constraint:ostype==linux",
    "constraint:dc==~south",        "constraint:rack==~r1",        "constraint:disk==~ssd",
    "affinity:container!=svc-0*",   "affinity:container==~svc-1*", "affinity:image==~img-1",
    "affinity:tier!=~batch",        "affinity:tier==~web",         "affinity:image!=img-3:1",
    "whitelist:node!=host-0|host-3"};

const Platform kAmd{"linux", "amd64", ""};
const Platform kArm{"linux", "arm64", "v8"};

std::string layer_name(std::uint32_t number) { return fmt::format("layer-{}", number); }
std::uint64_t layer_bytes(std::uint32_t number) { return (1 + number * 7 % 60) * kMiB; }

constexpr std::uint32_t kLayers = 24;
constexpr std::uint32_t kImages = 6;
constexpr std::uint32_t kServices = 7;

std::vector<PlacementImage> random_images(Dice& dice) {
  std::vector<PlacementImage> images;
  for (std::uint32_t i = 0; i + 1 < kImages; ++i) {  // The last one is not known.
    PlacementImage image{fmt::format("img-{}:1", i), {}};
    const bool one_for_all = dice.one_in(3);
    for (const auto& platform : {kAmd, kArm}) {
      PlacementManifest manifest{one_for_all ? Platform{} : platform, {}};
      for (std::uint32_t n = 0; n < 1 + dice.below(5); ++n) {
        const auto layer = dice.below(kLayers);
        const auto bytes = layer_bytes(layer);
        manifest.layers.push_back(
            {Digest::of(layer_name(layer)), bytes, layer % 3 == 0 ? bytes * 3 : 0});
      }
      image.manifests.push_back(std::move(manifest));
      if (one_for_all || dice.one_in(4)) break;
    }
    images.push_back(std::move(image));
  }
  return images;
}

PlacementRequest random_request(Dice& dice, std::uint32_t service) {
  PlacementRequest request;
  request.service = fmt::format("svc-{}", service);
  request.image = fmt::format("img-{}:1", dice.below(kImages));
  if (dice.one_in(3)) request.labels["tier"] = dice.one_in(2) ? "web" : "batch";
  if (dice.one_in(3)) {
    request.ports = {{dice.one_in(3) ? "127.0.0.1" : "",
                      static_cast<std::uint16_t>(80 + dice.below(3)),
                      dice.one_in(4) ? "udp" : "tcp"}};
  }
  if (dice.one_in(2)) request.resources.memory_bytes = dice.below(400) * kMiB;
  if (dice.one_in(3)) request.resources.cpu_mhz = dice.below(800);
  if (dice.one_in(4)) request.resources.cpu_thousandths = dice.below(700);
  if (dice.one_in(6)) request.platform = dice.one_in(2) ? kAmd : kArm;
  if (dice.one_in(8)) request.tags = {"gpu", "fast"};
  for (auto n = dice.below(4); n > 1; --n) {
    request.expressions.push_back(expression(dice.of(kExpressions)));
  }
  if (dice.one_in(10)) request.beside = {fmt::format("svc-{}-0", dice.below(kServices))};
  if (dice.one_in(3)) request.spread = {{"dc", 1 + dice.below(2)}};
  if (dice.one_in(4)) request.spread.push_back({"rack", 1});
  return request;
}

HostView random_host(Dice& dice, std::uint32_t number) {
  HostView host;
  host.name = fmt::format("host-{}", number);
  host.id = fmt::format("id-{}", number);
  host.alive = !dice.one_in(12);
  host.draining = dice.one_in(14);
  host.health = dice.one_in(14) ? 0 : static_cast<std::uint8_t>(50 + dice.below(51));
  if (!dice.one_in(5)) host.platform = dice.one_in(4) ? kArm : kAmd;
  host.facts["ostype"] = "linux";
  if (!dice.one_in(5)) host.labels["dc"] = dice.one_in(2) ? "west" : "east";
  host.labels["rack"] = fmt::format("r{}", dice.below(4));
  if (dice.one_in(4)) host.labels["fast"] = "";
  if (dice.one_in(5)) host.labels["disk"] = "ssd";
  if (dice.one_in(5)) host.labels["containerslots"] = dice.one_in(4) ? "many" : "4";
  if (!dice.one_in(4)) host.memory_bytes = (500 + dice.below(1500)) * kMiB;
  if (!dice.one_in(3)) host.cores = 1 + dice.below(4);
  if (host.cores > 0 && dice.one_in(2)) host.cpu_mhz = host.cores * 1800ULL;
  if (!dice.one_in(3)) host.disk_free_bytes = dice.below(1200) * kMiB;
  host.disk_reserve_bytes = dice.below(100) * kMiB;
  host.rates.fetch = (5 + dice.below(95)) * kMiB;
  host.queue_bytes = dice.one_in(3) ? dice.below(400) * kMiB : 0;
  for (std::uint32_t layer = 0; layer < kLayers; ++layer) {
    if (!dice.one_in(3)) continue;
    HeldLayer held{Digest::of(layer_name(layer)), std::nullopt, false, !dice.one_in(4)};
    if (dice.one_in(3)) {
      held.bytes = dice.below(static_cast<std::uint32_t>(layer_bytes(layer)));
      held.fetching = dice.one_in(2);
    }
    host.layers.push_back(held);
  }
  if (dice.one_in(3)) host.images.push_back(fmt::format("img-{}:1", dice.below(kImages)));
  for (std::uint32_t n = 0; n < dice.below(4); ++n) {
    auto old = container(fmt::format("old-{}-{}", number, n), fmt::format("svc-{}", dice.below(9)));
    old.image = fmt::format("img-{}:1", dice.below(kImages));
    old.running = !dice.one_in(4);
    old.resources.memory_bytes = dice.below(200) * kMiB;
    if (dice.one_in(4)) old.ports = {{"", static_cast<std::uint16_t>(80 + dice.below(3)), "tcp"}};
    if (dice.one_in(4)) old.labels["tier"] = "batch";
    host.containers.push_back(std::move(old));
  }
  return host;
}

}  // namespace

Expression expression(std::string_view text) {
  auto parsed = Expression::parse(text);
  if (!parsed) throw std::invalid_argument(parsed.error().message);
  return *std::move(parsed);
}

std::vector<HostView> hosts(std::size_t count) {
  std::vector<HostView> views(count);
  for (std::size_t i = 0; i < count; ++i) views[i].name = fmt::format("host-{}", i);
  return views;
}

HostContainer container(const std::string& name, const std::string& service) {
  HostContainer container;
  container.name = name;
  container.service = service.empty() ? name : service;
  return container;
}

PlacementRequest request(const std::string& slot, const std::string& service,
                         const std::string& image) {
  PlacementRequest request;
  request.slot = slot;
  request.service = service.empty() ? slot : service;
  request.image = image;
  return request;
}

std::vector<PlacementRequest> replicas(const PlacementRequest& sample, std::size_t count) {
  std::vector<PlacementRequest> requests(count, sample);
  for (std::size_t i = 1; i < count; ++i) {
    requests[i].slot = fmt::format("{}-scale-{}", sample.slot, i);
  }
  return requests;
}

PlacementImage image(const std::string& name, const std::vector<NamedLayer>& layers) {
  PlacementImage image{name, {{}}};
  for (const auto& [layer, mib] : layers) {
    image.manifests[0].layers.push_back({Digest::of(layer), mib * kMiB, 0});
  }
  return image;
}

HeldLayer held(const char* name) { return {Digest::of(name), std::nullopt, false, true}; }

Placement placed(const std::vector<PlacementRequest>& requests, const std::vector<HostView>& hosts,
                 const std::vector<PlacementImage>& images, const PlacementOptions& options) {
  auto placement = place(requests, hosts, images, options);
  if (!placement) throw std::invalid_argument(placement.error().message);
  return *std::move(placement);
}

std::vector<std::string> hosts_of(const Placement& placement, const std::vector<HostView>& hosts) {
  std::vector<std::string> names;
  for (const auto& slot : placement.slots) names.push_back(slot.node ? hosts[*slot.node].name : "");
  return names;
}

RandomCluster random_cluster(std::uint64_t seed) {
  Dice dice(seed);
  RandomCluster cluster;
  cluster.images = random_images(dice);
  for (std::uint32_t i = 0; i < 3 + dice.below(18); ++i) {
    cluster.hosts.push_back(random_host(dice, i));
  }
  for (std::uint32_t service = 0; service < kServices; ++service) {
    const auto sample = random_request(dice, service);
    for (std::uint32_t i = 0; i < 1 + dice.below(6); ++i) {
      auto slot = sample;
      slot.slot = fmt::format("svc-{}-{}", service, i);
      // Some run already, some of them as another version, a few of them twice.
      for (auto copies = dice.one_in(3) ? 1U + dice.below(8) / 7 : 0U; copies > 0; --copies) {
        auto running = container(slot.slot, slot.service);
        running.image = slot.image;
        running.labels = slot.labels;
        running.ports = slot.ports;
        running.resources = slot.resources;
        running.running = !dice.one_in(6);
        cluster.hosts[dice.below(static_cast<std::uint32_t>(cluster.hosts.size()))]
            .containers.push_back(std::move(running));
      }
      if (dice.one_in(12)) slot.current_host = fmt::format("host-{}", dice.below(20));
      cluster.requests.push_back(std::move(slot));
    }
  }
  if (dice.one_in(2)) {  // Services in turn, not one after the other.
    std::stable_sort(cluster.requests.begin(), cluster.requests.end(),
                     [](const auto& a, const auto& b) { return a.slot.back() < b.slot.back(); });
  }
  cluster.options.strategy = static_cast<PlacementStrategy>(dice.below(7));
  cluster.options.seed = dice.below(3);
  cluster.options.overcommit = dice.one_in(4) ? 0.05 : 0;
  cluster.options.rebalance = dice.one_in(6);
  return cluster;
}

}  // namespace shoal

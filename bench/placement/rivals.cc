#include "bench/placement/rivals.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <tuple>

#include <fmt/format.h>

#include "bench/fatal.h"
#include "orchestrator/placement/rendezvous_hash.h"

namespace shoal::bench {
namespace {

constexpr double kMiB = 1 << 20;

/// Containers and replicas of one service by host, while it is placed.
struct Load {
  Load(const std::vector<ModelHost>& hosts, const ModelService& service)
      : all(hosts.size()), own(hosts.size()) {
    for (std::size_t i = 0; i < hosts.size(); ++i) all[i] = hosts[i].containers();
    for (const auto host : service.replicas) ++own[host];
  }
  void add(std::size_t host) {
    ++all[host];
    ++own[host];
  }
  std::vector<std::uint64_t> all;
  std::vector<std::uint64_t> own;
};

/// The chance by which those settle what is equal.
std::uint64_t chance(const ModelService& service, std::size_t replica, std::size_t host) {
  return mix(hash_of(service.image()) ^ mix(replica + 1) ^ mix((host + 1) << 32));
}

class SwarmKit : public ModelPlacer {
 public:
  std::vector<std::size_t> place(const std::vector<ModelHost>& hosts,
                                 const std::vector<ModelService>&, const ModelService& service,
                                 std::size_t count) override {
    Load load(hosts, service);
    std::vector<std::size_t> chosen;
    for (std::size_t replica = 0; replica < count; ++replica) {
      std::size_t best = 0;
      const auto key = [&](std::size_t host) {
        return std::tuple(load.own[host], load.all[host], chance(service, replica, host));
      };
      for (std::size_t host = 1; host < hosts.size(); ++host) {
        if (key(host) < key(best)) best = host;
      }
      load.add(best);
      chosen.push_back(best);
    }
    return chosen;
  }
};

class Kubernetes : public ModelPlacer {
 public:
  std::vector<std::size_t> place(const std::vector<ModelHost>& hosts,
                                 const std::vector<ModelService>& services,
                                 const ModelService& service, std::size_t count) override {
    Load load(hosts, service);
    double containers = 0;
    for (const auto& one : services) containers += static_cast<double>(one.replicas.size());
    const double capacity = std::max(10.0, 3 * containers / static_cast<double>(hosts.size()));
    std::vector<std::size_t> chosen;
    std::vector<std::uint8_t> has(hosts.size());
    for (std::size_t i = 0; i < hosts.size(); ++i) has[i] = hosts[i].has_image(service.image());
    for (std::size_t replica = 0; replica < count; ++replica) {
      const auto score = scores(load, has, service, capacity);
      std::size_t best = 0;
      const auto key = [&](std::size_t host) {
        return std::tuple(-score[host], chance(service, replica, host));
      };
      for (std::size_t host = 1; host < hosts.size(); ++host) {
        if (key(host) < key(best)) best = host;
      }
      load.add(best);
      has[best] = 1;
      chosen.push_back(best);
    }
    return chosen;
  }

 private:
  static std::vector<double> scores(const Load& load, const std::vector<std::uint8_t>& has,
                                    const ModelService& service, double capacity) {
    const auto hosts = load.all.size();
    const double weight = std::log(static_cast<double>(hosts) + 2);
    const auto raw = [&](std::size_t host) {
      constexpr double kMaxSkew = 3;
      return static_cast<double>(load.own[host]) * weight + kMaxSkew - 1;
    };
    double least = std::numeric_limits<double>::max();
    double most = 0;
    std::size_t having = 0;
    for (std::size_t host = 0; host < hosts; ++host) {
      least = std::min(least, raw(host));
      most = std::max(most, raw(host));
      having += has[host];
    }
    const double spread_bytes = static_cast<double>(service.bytes()) * static_cast<double>(having) /
                                static_cast<double>(hosts);
    const double locality =
        100 * (std::clamp(spread_bytes, 23 * kMiB, 1000 * kMiB) - 23 * kMiB) / (977 * kMiB);
    std::vector<double> scores;
    for (std::size_t host = 0; host < hosts; ++host) {
      const double spread = std::floor(100 * (most + least - raw(host)) / most);
      const double free = capacity - static_cast<double>(load.all[host]) - 1;
      const double least_allocated = std::floor(100 * std::max(free, 0.0) / capacity);
      scores.push_back(2 * spread + least_allocated + (has[host] != 0 ? std::floor(locality) : 0));
    }
    return scores;
  }
};

class Shoal : public ModelPlacer {
 public:
  Shoal(const PlacementOptions& options, bool in_place) : options_(options), in_place_(in_place) {}

  std::vector<std::size_t> place(const std::vector<ModelHost>& hosts,
                                 const std::vector<ModelService>& services,
                                 const ModelService& service, std::size_t count) override {
    auto views = views_of(hosts, services, service);
    PlacementImage image{service.image(), {{}}};
    for (const auto& layer : service.layers) {
      image.manifests[0].layers.push_back({digest_of(layer.id), layer.bytes, 0});
    }
    std::vector<PlacementRequest> requests(count);
    for (std::size_t i = 0; i < count; ++i) {
      requests[i].service = service.name();
      requests[i].slot = fmt::format("{}-{}", service.name(), service.replicas.size() + i);
      requests[i].image = service.image();
    }
    const auto placement = shoal::place(requests, views, {image}, options_);
    if (!placement) fatal(placement.error().message);
    std::vector<std::size_t> chosen;
    for (const auto& slot : placement->slots) {
      if (!slot.node) fatal(slot.problem);
      chosen.push_back(*slot.node);
    }
    return chosen;
  }

 private:
  [[nodiscard]] std::vector<HostView> views_of(const std::vector<ModelHost>& hosts,
                                               const std::vector<ModelService>& services,
                                               const ModelService& placed) const {
    std::vector<HostView> views(hosts.size());
    for (std::size_t i = 0; i < hosts.size(); ++i) {
      views[i].name = fmt::format("host-{}", i);
      for (const auto layer : hosts[i].layers()) {
        views[i].layers.push_back({digest_of(layer), std::nullopt, false, true});
      }
    }
    const auto add = [&](const ModelService& service, const std::vector<std::size_t>& on) {
      for (std::size_t i = 0; i < on.size(); ++i) {
        HostContainer container;
        container.name = fmt::format("{}-{}", service.name(), i);
        container.service = service.name();
        container.image = service.image();
        views[on[i]].containers.push_back(std::move(container));
      }
    };
    for (const auto& service : services) {
      add(service, service.replicas);
    }
    if (in_place_) add(placed, placed.before);
    return views;
  }

  PlacementOptions options_;
  bool in_place_;
};

}  // namespace

Digest digest_of(std::uint32_t layer) {
  std::array<std::uint8_t, 32> hash{};
  for (std::size_t i = 0; i < hash.size(); i += 8) {
    const auto word = mix((std::uint64_t{layer} << 8) + i + 1);
    for (std::size_t byte = 0; byte < 8; ++byte) {
      hash[i + byte] = static_cast<std::uint8_t>(word >> (8 * byte));
    }
  }
  return {Algorithm::sha256, hash};
}

std::unique_ptr<ModelPlacer> make_swarmkit() { return std::make_unique<SwarmKit>(); }

std::unique_ptr<ModelPlacer> make_kubernetes() { return std::make_unique<Kubernetes>(); }

std::unique_ptr<ModelPlacer> make_shoal(const PlacementOptions& options, bool in_place) {
  return std::make_unique<Shoal>(options, in_place);
}

}  // namespace shoal::bench

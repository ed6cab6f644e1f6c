// What holds for every cluster: on clusters that seeds make up.

#include <algorithm>
#include <map>
#include <random>
#include <set>

#include <catch2/catch.hpp>

#include "tests/orchestrator/placement/cluster.h"
#include "tests/orchestrator/placement/slow_placer.h"

namespace shoal {
namespace {

constexpr std::uint64_t kClusters = 1500;

Placement placed(const RandomCluster& cluster) {
  return placed(cluster.requests, cluster.hosts, cluster.images, cluster.options);
}

/// What a decision comes to, in one text.
std::string told(const SlotDecision& decision, const std::vector<HostView>& hosts) {
  std::string text = decision.slot + " on " + (decision.node ? hosts[*decision.node].name : "none");
  text += decision.stays ? " stays" : " goes";
  text += " " + std::to_string(decision.bytes_from_peers);
  text += " " + std::to_string(decision.bytes_from_upstream);
  text += " " + std::to_string(decision.seconds_until_ready);
  for (const auto& unmet : decision.unmet) text += " not " + unmet;
  return text;
}

std::vector<std::string> told(const Placement& placement, const std::vector<HostView>& hosts) {
  std::vector<std::string> texts;
  for (const auto& slot : placement.slots) texts.push_back(told(slot, hosts));
  return texts;
}

/// Which hosts each filter refused.
std::map<PlacementFilter, std::vector<std::string>> refused(const SlotDecision& decision) {
  std::map<PlacementFilter, std::vector<std::string>> groups;
  for (const auto& [filter, rejections] : decision.explanation->rejected) {
    for (const auto& rejection : rejections) groups[filter].push_back(rejection.host);
  }
  return groups;
}

TEST_CASE("The placer decides as one that computes everything from scratch", "[placement]") {
  std::size_t staying = 0;
  std::size_t going = 0;
  std::size_t without = 0;
  std::size_t unmet = 0;
  for (std::uint64_t seed = 0; seed < kClusters; ++seed) {
    auto cluster = random_cluster(seed);
    cluster.options.explain = true;
    const auto fast = placed(cluster);
    const auto slow =
        place_slowly(cluster.requests, cluster.hosts, cluster.images, cluster.options);
    INFO("seed " << seed << ", " << to_string(cluster.options.strategy));
    REQUIRE(told(fast, cluster.hosts) == told(slow, cluster.hosts));
    for (std::size_t i = 0; i < fast.slots.size(); ++i) {
      if (fast.slots[i].node) REQUIRE(refused(fast.slots[i]) == refused(slow.slots[i]));
      staying += fast.slots[i].stays;
      going += fast.slots[i].node && !fast.slots[i].stays;
      without += !fast.slots[i].node;
      unmet += !fast.slots[i].unmet.empty();
    }
  }
  // The clusters are what they are meant to be: none of these is a rare case.
  CHECK(staying > kClusters);
  CHECK(going > kClusters);
  CHECK(without > kClusters);
  CHECK(unmet > kClusters / 4);
}

TEST_CASE("The order of the hosts and how often one asks change nothing", "[placement]") {
  std::mt19937 engine(1);
  for (std::uint64_t seed = 0; seed < kClusters / 5; ++seed) {
    auto cluster = random_cluster(seed);
    const auto first = told(placed(cluster), cluster.hosts);
    CAPTURE(seed);
    REQUIRE(told(placed(cluster), cluster.hosts) == first);
    std::shuffle(cluster.hosts.begin(), cluster.hosts.end(), engine);
    for (auto& host : cluster.hosts) {
      std::shuffle(host.layers.begin(), host.layers.end(), engine);
      std::shuffle(host.containers.begin(), host.containers.end(), engine);
    }
    std::shuffle(cluster.images.begin(), cluster.images.end(), engine);
    REQUIRE(told(placed(cluster), cluster.hosts) == first);
  }
}

TEST_CASE("No two that are placed have the same port of a host, and none is overfull",
          "[placement]") {
  for (std::uint64_t seed = 0; seed < kClusters; ++seed) {
    const auto cluster = random_cluster(seed);
    const auto placement = placed(cluster);
    CAPTURE(seed);
    std::set<std::string> slots;
    for (const auto& request : cluster.requests) slots.insert(request.slot);
    for (std::size_t h = 0; h < cluster.hosts.size(); ++h) {
      const auto& host = cluster.hosts[h];
      std::vector<HostPort> ports;
      std::uint64_t memory = 0;
      std::uint64_t placed_memory = 0;
      std::vector<const PlacementRequest*> here;
      for (const auto& container : host.containers) {
        if (slots.count(container.name) > 0) continue;
        ports.insert(ports.end(), container.ports.begin(), container.ports.end());
        if (container.running) memory += container.resources.memory_bytes;
      }
      for (std::size_t i = 0; i < placement.slots.size(); ++i) {
        if (placement.slots[i].node != h) continue;
        const auto& request = cluster.requests[i];
        here.push_back(&request);
        for (const auto& port : request.ports) {
          for (const auto& taken : ports) REQUIRE_FALSE(clash(port, taken));
          ports.push_back(port);
        }
        placed_memory += request.resources.memory_bytes;
      }
      if (here.empty()) continue;
      REQUIRE(host.alive);
      REQUIRE_FALSE(host.draining);
      REQUIRE(host.health > 0);
      const double most = static_cast<double>(host.memory_bytes) * (1 + cluster.options.overcommit);
      if (host.memory_bytes > 0 && placed_memory > 0) {
        REQUIRE(static_cast<double>(memory + placed_memory) <= most);
      }
      for (const auto* request : here) {
        REQUIRE(runs_on(request->platform, host.platform));
        for (const auto& one : request->expressions) {
          if (one.soft() || one.kind() == ExpressionKind::affinity || one.key() == "ostype")
            continue;
          const auto label = host.labels.find(one.key());
          const std::string text = label == host.labels.end() ? "" : label->second;
          REQUIRE(one.holds(one.key() == "node" ? host.name : text));
        }
      }
    }
  }
}

TEST_CASE("Placing what was placed moves nothing", "[placement]") {
  for (std::uint64_t seed = 0; seed < kClusters / 5; ++seed) {
    auto cluster = random_cluster(seed);
    cluster.options.rebalance = false;
    const auto before = placed(cluster);
    for (auto& host : cluster.hosts) {
      std::erase_if(host.containers, [&](const HostContainer& container) {
        return std::any_of(cluster.requests.begin(), cluster.requests.end(),
                           [&](const auto& request) { return request.slot == container.name; });
      });
      host.disk_free_bytes.reset();  // The images that were placed are there now.
    }
    for (std::size_t i = 0; i < cluster.requests.size(); ++i) {
      cluster.requests[i].current_host.clear();
      if (!before.slots[i].node) continue;
      const auto& request = cluster.requests[i];
      auto running = container(request.slot, request.service);
      running.image = request.image;
      running.labels = request.labels;
      running.ports = request.ports;
      running.resources = request.resources;
      cluster.hosts[*before.slots[i].node].containers.push_back(std::move(running));
    }
    const auto after = placed(cluster);
    CAPTURE(seed);
    for (std::size_t i = 0; i < cluster.requests.size(); ++i) {
      if (!before.slots[i].node) continue;
      REQUIRE(after.slots[i].stays);
      REQUIRE(after.slots[i].node == before.slots[i].node);
    }
  }
}

TEST_CASE("An explanation names every host once: who won, who could, and who could not",
          "[placement]") {
  for (std::uint64_t seed = 0; seed < kClusters / 3; ++seed) {
    auto cluster = random_cluster(seed);
    const auto plain = told(placed(cluster), cluster.hosts);
    cluster.options.explain = true;
    const auto placement = placed(cluster);
    CAPTURE(seed);
    REQUIRE(told(placement, cluster.hosts) == plain);
    for (const auto& slot : placement.slots) {
      REQUIRE(slot.explanation);
      std::set<std::string> out;
      std::size_t rejections = 0;
      for (const auto& [filter, group] : slot.explanation->rejected) {
        REQUIRE_FALSE(group.empty());
        for (const auto& rejection : group) {
          REQUIRE_FALSE(rejection.why.empty());
          out.insert(rejection.host);
          ++rejections;
        }
      }
      REQUIRE(out.size() == rejections);
      REQUIRE(slot.problem.empty() == slot.node.has_value());
      if (!slot.node) {
        REQUIRE(out.size() == cluster.hosts.size());
        REQUIRE(slot.explanation->keys.empty());
        continue;
      }
      REQUIRE(out.count(cluster.hosts[*slot.node].name) == 0);
      const bool alone = out.size() + 1 == cluster.hosts.size();
      if (slot.stays) {
        REQUIRE(slot.explanation->keys.empty());
        continue;
      }
      REQUIRE_FALSE(slot.explanation->keys.empty());
      REQUIRE(slot.explanation->runner_up.has_value() != alone);
      if (alone) continue;
      REQUIRE(out.count(slot.explanation->runner_up->host) == 0);
      REQUIRE(slot.explanation->runner_up->won != slot.explanation->runner_up->lost);
    }
  }
}

}  // namespace
}  // namespace shoal

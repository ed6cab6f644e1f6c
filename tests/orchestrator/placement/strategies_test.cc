#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include <catch2/catch.hpp>

#include "tests/orchestrator/placement/cluster.h"

namespace shoal {
namespace {

using Names = std::vector<std::string>;

PlacementOptions with(PlacementStrategy strategy) {
  PlacementOptions options;
  options.strategy = strategy;
  return options;
}

std::map<std::string, int> counts(const Placement& placement, const std::vector<HostView>& views) {
  std::map<std::string, int> counts;
  for (const auto& name : hosts_of(placement, views)) ++counts[name];
  return counts;
}

TEST_CASE("Several replicas placed in one pass do not land on one host", "[placement]") {
  // dux-scheduler assigned them all to the host that was least busy before.
  const auto views = hosts(5);
  for (const auto strategy :
       {PlacementStrategy::layers, PlacementStrategy::spread, PlacementStrategy::round_robin}) {
    const auto placement = placed(replicas(request("web"), 10), views, {}, with(strategy));
    for (const auto& [host, count] : counts(placement, views)) CHECK(count == 2);
  }
  // Nor do different services.
  std::vector<PlacementRequest> requests;
  for (int i = 0; i < 10; ++i) requests.push_back(request("s" + std::to_string(i)));
  for (const auto& [host, count] : counts(placed(requests, views), views)) CHECK(count == 2);
}

TEST_CASE("The layers that a host lacks decide between hosts of the same load", "[placement]") {
  auto views = hosts(3);
  const auto app = image("app:1", {{"base", 100}, {"runtime", 50}, {"app", 10}});
  views[0].layers = {held("app")};
  views[2].layers = {held("base"), held("runtime")};
  const auto placement = placed({request("web")}, views, {app});
  CHECK(hosts_of(placement, views) == Names{"host-2"});
  CHECK(placement.slots[0].bytes_from_peers == 10 * kMiB);
  CHECK(placement.slots[0].bytes_from_upstream == 0);
  // 10 MiB at 50 MiB/s, 25 MiB unpacked at 100 MiB/s.
  CHECK(placement.slots[0].seconds_until_ready == Approx(0.2 + 0.25));
}

TEST_CASE("Layers that are partly there or on their way count as far as they are", "[placement]") {
  auto views = hosts(2);
  const auto app = image("app:1", {{"base", 100}});
  views[0].layers = {{Digest::of("base"), 30 * kMiB, false, false}};
  views[1].layers = {{Digest::of("base"), 70 * kMiB, false, false}};
  auto placement = placed({request("web")}, views, {app});
  CHECK(hosts_of(placement, views) == Names{"host-1"});
  CHECK(placement.slots[0].bytes_from_upstream == 30 * kMiB);  // Nobody has all of it.
  CHECK(placement.slots[0].seconds_until_ready == Approx(3 + 2.5));

  // In flight: the rest is part of the queue already, and is counted there, once.
  views[0].layers = {{Digest::of("base"), 30 * kMiB, true, false}};
  views[0].queue_bytes = 70 * kMiB;
  placement = placed({request("web")}, views, {app});
  CHECK(hosts_of(placement, views) == Names{"host-0"});
  CHECK(placement.slots[0].bytes_from_peers == 70 * kMiB);
  CHECK(placement.slots[0].seconds_until_ready == Approx(1.4 + 2.5));
}

TEST_CASE("A queue delays those that have to queue", "[placement]") {
  auto views = hosts(2);
  const auto app = image("app:1", {{"base", 100}});
  views[0].layers = {held("base")};
  views[0].queue_bytes = 5000 * kMiB;
  views[1].layers = {{Digest::of("base"), 99 * kMiB, false, false}};
  CHECK(hosts_of(placed({request("web")}, views, {app}), views) == Names{"host-0"});
}

TEST_CASE("A slow host and one that must unpack are later", "[placement]") {
  auto views = hosts(2);
  const auto app = image("app:1", {{"base", 100}});
  views[0].rates.fetch = 10 * kMiB;
  CHECK(hosts_of(placed({request("web")}, views, {app}), views) != Names{""});
  views[0].layers = views[1].layers = {{Digest::of("other"), std::nullopt, false, true}};
  auto third = hosts(3)[2];
  third.layers = {held("base")};
  third.draining = true;  // A holder all the same.
  views.push_back(third);
  CHECK(hosts_of(placed({request("web")}, views, {app}), views) == Names{"host-1"});
  views[0].rates.fetch = views[1].rates.fetch;
  views[0].layers = {held("base")};
  views[0].layers[0].unpacked = false;
  views[1].layers = {held("base")};
  CHECK(hosts_of(placed({request("web")}, views, {app}), views) == Names{"host-1"});
}

TEST_CASE("A layer that no live host has comes at the rate of the upstream registry, once",
          "[placement]") {
  auto views = hosts(2);
  const auto app = image("app:1", {{"base", 100}});
  auto gone = hosts(3)[2];
  gone.alive = false;
  gone.layers = {held("base")};
  views.push_back(gone);
  const auto placement = placed(replicas(request("web"), 2), views, {app});
  CHECK(placement.slots[0].bytes_from_upstream == 100 * kMiB);
  CHECK(placement.slots[0].bytes_from_peers == 0);
  CHECK(placement.slots[1].bytes_from_upstream == 0);
  CHECK(placement.slots[1].bytes_from_peers == 100 * kMiB);
}

TEST_CASE("Siblings on the same base attract each other", "[placement]") {
  const auto views = hosts(12);
  const std::vector<PlacementImage> images = {image("a:1", {{"base", 200}, {"a", 10}}),
                                              image("b:1", {{"other", 200}, {"b", 10}}),
                                              image("c:1", {{"base", 200}, {"c", 10}})};
  PlacementOptions options;
  options.load_bound = 100;
  const auto names =
      hosts_of(placed({request("a", "", "a:1"), request("b", "", "b:1"), request("c", "", "c:1")},
                      views, images, options),
               views);
  CHECK(names[0] == names[2]);
  CHECK(names[0] != names[1]);
}

TEST_CASE("Fractions of a quarter of a second do not move a container", "[placement]") {
  auto views = hosts(2);
  views[1].layers = {held("app")};
  views[1].containers = {container("busy")};
  PlacementOptions options;
  options.load_bound = 100;
  const auto small = image("app:1", {{"app", 2}});
  CHECK(hosts_of(placed({request("web")}, views, {small}, options), views) == Names{"host-0"});
  const auto large = image("app:1", {{"app", 50}});
  CHECK(hosts_of(placed({request("web")}, views, {large}, options), views) == Names{"host-1"});
}

TEST_CASE("A host that has all the layers is not given all the containers", "[placement]") {
  auto views = hosts(10);
  views[0].layers = {held("base")};
  std::vector<PlacementImage> images;
  std::vector<PlacementRequest> requests;
  for (int i = 0; i < 40; ++i) {
    const auto name = "s" + std::to_string(i);
    images.push_back(image(name + ":1", {{"base", 500}}));
    requests.push_back(request(name, "", name + ":1"));
  }
  auto most = 0;
  for (const auto& [host, count] : counts(placed(requests, views, images), views)) {
    most = std::max(most, count);
  }
  CHECK(most <= 1.25 * 4 + 1);
}

TEST_CASE("A service spreads over a label within its skew, and then over hosts", "[placement]") {
  auto views = hosts(6);
  for (std::size_t i = 0; i < 6; ++i) views[i].labels["dc"] = i < 5 ? "west" : "east";
  auto one = request("web");
  one.spread = {{"dc", 1}};
  auto placement = placed(replicas(one, 6), views);
  CHECK(counts(placement, views)["host-5"] == 3);
  one.spread[0].max_skew = 2;
  views[0].layers = views[1].layers = views[2].layers = views[3].layers =
      views[4].layers = {held("base")};
  placement = placed(replicas(one, 6), views, {image("app:1", {{"base", 500}})});
  CHECK(counts(placement, views)["host-5"] == 2);
}

TEST_CASE("A value of a label that can take nothing more does not hold up the others",
          "[placement]") {
  auto views = hosts(3);
  views[0].labels["dc"] = "east";
  views[0].labels["containerslots"] = "1";
  views[1].labels["dc"] = views[2].labels["dc"] = "west";
  auto one = request("web");
  one.spread = {{"dc", 1}};
  const auto placement = placed(replicas(one, 7), views);
  CHECK(placement.complete());
  CHECK(counts(placement, views)["host-0"] == 1);
}

TEST_CASE("Two spread labels count one after the other", "[placement]") {
  auto views = hosts(8);
  for (std::size_t i = 0; i < 8; ++i) {
    views[i].labels = {{"dc", i < 4 ? "west" : "east"}, {"rack", std::to_string(i / 2)}};
  }
  auto one = request("web");
  one.spread = {{"dc", 1}, {"rack", 1}};
  std::set<std::string> racks;
  for (const auto& name : hosts_of(placed(replicas(one, 4), views), views)) {
    racks.insert(std::to_string((name.back() - '0') / 2));
  }
  CHECK(racks.size() == 4);
}

TEST_CASE("Running replicas stay where they are, whatever would be better", "[placement]") {
  auto views = hosts(3);
  for (int i = 0; i < 3; ++i) {
    const auto slot = i == 0 ? std::string("web") : "web-scale-" + std::to_string(i);
    views[0].containers.push_back(container(slot, "web"));
  }
  views[1].layers = {held("base")};
  auto one = request("web");
  one.expressions = {expression("constraint:node==~host-1")};
  const std::vector<PlacementImage> images = {image("app:1", {{"base", 500}})};
  auto placement = placed(replicas(one, 5), views, images);
  CHECK(counts(placement, views) == std::map<std::string, int>{{"host-0", 3}, {"host-1", 2}});
  CHECK(placement.slots[2].stays);
  CHECK_FALSE(placement.slots[3].stays);
  // Unless that is what is asked for.
  PlacementOptions options;
  options.rebalance = true;
  CHECK(counts(placed(replicas(one, 5), views, images, options), views)["host-1"] == 5);
  // A filter moves them.
  one.expressions = {expression("constraint:node!=host-0")};
  placement = placed(replicas(one, 5), views, images);
  CHECK(counts(placement, views)["host-0"] == 0);
  CHECK(placement.complete());
}

TEST_CASE("A document's own host is where a replica stays", "[placement]") {
  const auto views = hosts(9);
  auto one = request("web");
  one.current_host = "host-7";
  CHECK(hosts_of(placed({one}, views), views) == Names{"host-7"});
  CHECK(placed({one}, views).slots[0].stays);
  one.current_host = "host-that-left";
  CHECK(placed({one}, views).complete());
  CHECK_FALSE(placed({one}, views).slots[0].stays);
}

TEST_CASE("Spread ranks by classic Swarm's weight, binpack the other way round", "[placement]") {
  auto views = hosts(3);
  for (auto& view : views) view.memory_bytes = 1000 * kMiB;
  const auto fill = [&](std::size_t host, std::uint64_t mib) {
    auto one = container("old-" + std::to_string(host));
    one.resources.memory_bytes = mib * kMiB;
    views[host].containers = {one};
  };
  fill(0, 300);
  fill(1, 100);
  fill(2, 500);
  auto one = request("web");
  one.resources.memory_bytes = 100 * kMiB;
  CHECK(hosts_of(placed({one}, views, {}, with(PlacementStrategy::spread)), views) ==
        Names{"host-1"});
  const auto packed = placed(replicas(one, 6), views, {}, with(PlacementStrategy::binpack));
  CHECK(counts(packed, views) == std::map<std::string, int>{{"host-2", 5}, {"host-0", 1}});
  // Ten times the health outweighs a few percent.
  views[1].health = 95;
  CHECK(hosts_of(placed({one}, views, {}, with(PlacementStrategy::spread)), views) ==
        Names{"host-0"});
}

TEST_CASE("Pack fills a host before it takes the next, by containers if nothing else is known",
          "[placement]") {
  auto views = hosts(3);
  for (auto& view : views) view.labels["containerslots"] = "4";
  const auto placement =
      placed(replicas(request("web"), 6), views, {}, with(PlacementStrategy::pack));
  CHECK(counts(placement, views).size() == 2);
}

TEST_CASE("Locality looks at the bytes before the spread", "[placement]") {
  auto views = hosts(3);
  views[1].layers = {held("base")};
  const auto app = image("app:1", {{"base", 500}});
  const auto locality =
      placed(replicas(request("web"), 3), views, {app}, with(PlacementStrategy::locality));
  CHECK(counts(locality, views) == std::map<std::string, int>{{"host-1", 3}});
  CHECK(counts(placed(replicas(request("web"), 3), views, {app}), views).size() == 3);
}

TEST_CASE("Random is even, obeys the filters, and is the same for the same seed", "[placement]") {
  auto views = hosts(5);
  views[4].alive = false;
  auto options = with(PlacementStrategy::random);
  const auto first = placed(replicas(request("web"), 4000), views, {}, options);
  const auto numbers = counts(first, views);
  CHECK(numbers.size() == 4);
  for (const auto& [host, count] : numbers) {
    CHECK(std::abs(count - 1000) < 5 * std::sqrt(4000 * 0.25 * 0.75));
  }
  CHECK(hosts_of(placed(replicas(request("web"), 4000), views, {}, options), views) ==
        hosts_of(first, views));
  options.seed = 1;
  CHECK(hosts_of(placed(replicas(request("web"), 4000), views, {}, options), views) !=
        hosts_of(first, views));
}

TEST_CASE("Round robin takes the hosts by their names in turn, leaving out those that are full",
          "[placement]") {
  auto views = hosts(4);
  views[2].labels["containerslots"] = "0";
  CHECK(
      hosts_of(placed(replicas(request("web"), 5), views, {}, with(PlacementStrategy::round_robin)),
               views) == Names{"host-0", "host-1", "host-3", "host-0", "host-1"});
}

TEST_CASE("A host that joins takes few of the containers, and moves none of the running ones",
          "[placement]") {
  auto views = hosts(9);
  std::vector<PlacementRequest> requests;
  for (int i = 0; i < 90; ++i) requests.push_back(request("s" + std::to_string(i)));
  const auto before = hosts_of(placed(requests, views), views);
  auto joined = hosts(10);
  for (std::size_t i = 0; i < requests.size(); ++i) requests[i].current_host = before[i];
  CHECK(hosts_of(placed(requests, joined), joined) == before);
}

TEST_CASE("Every strategy has a name, and others are refused with all of them", "[placement]") {
  for (const auto* name :
       {"layers", "pack", "locality", "spread", "binpack", "random", "round-robin"}) {
    REQUIRE(parse_strategy(name));
    CHECK(to_string(*parse_strategy(name)) == name);
  }
  CHECK_THAT(parse_strategy("best").error().message, Catch::Contains("layers, pack"));
}

TEST_CASE("An explanation says which key won, and against whom", "[placement]") {
  auto views = hosts(3);
  views[0].layers = {held("base")};
  views[2].alive = false;
  PlacementOptions options;
  options.explain = true;
  const auto placement =
      placed({request("web")}, views, {image("app:1", {{"base", 500}})}, options);
  const auto& explanation = *placement.slots[0].explanation;
  REQUIRE(explanation.runner_up);
  CHECK(explanation.runner_up->host == "host-1");
  CHECK(explanation.runner_up->key == "seconds until ready");
  CHECK(explanation.runner_up->won == "0.00");
  CHECK(explanation.runner_up->lost == "22.50");
  REQUIRE(explanation.rejected.size() == 1);
  CHECK(explanation.rejected[0].first == PlacementFilter::alive);
  CHECK(explanation.rejected[0].second[0].host == "host-2");
  CHECK(explanation.rejected[0].second[0].why == "it is not alive");
}

}  // namespace
}  // namespace shoal

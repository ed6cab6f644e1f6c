// One filter after the other, and the traps of placers that came before (classic Swarm, the cccf
// schedulers), each by its own case.

#include <algorithm>
#include <set>

#include <catch2/catch.hpp>

#include "tests/orchestrator/placement/cluster.h"

namespace shoal {
namespace {

using Names = std::vector<std::string>;

Names where(const std::vector<PlacementRequest>& requests, const std::vector<HostView>& views,
            const PlacementOptions& options = {}) {
  return hosts_of(placed(requests, views, {}, options), views);
}

TEST_CASE("A host that is dead, drained or sick takes nothing", "[placement]") {
  auto views = hosts(4);
  views[0].alive = false;
  views[1].draining = true;
  views[2].health = 0;
  CHECK(where(replicas(request("web"), 3), views) == Names{"host-3", "host-3", "host-3"});
}

TEST_CASE("What runs on a host that is drained or dead goes elsewhere", "[placement]") {
  auto views = hosts(2);
  views[0].containers = {container("web")};
  CHECK(where({request("web")}, views) == Names{"host-0"});
  views[0].draining = true;
  CHECK(where({request("web")}, views) == Names{"host-1"});
  views[0].draining = false;
  views[0].alive = false;
  CHECK(where({request("web")}, views) == Names{"host-1"});
}

TEST_CASE("An image goes where its platform is, and what is not known hinders nothing",
          "[placement]") {
  auto views = hosts(3);
  views[0].platform = {"linux", "arm64", "v8"};
  views[1].platform = {"linux", "amd64", ""};
  PlacementImage amd{"app:1", {{{"linux", "amd64", ""}, {{Digest::of("a"), kMiB, 0}}}}};
  views[2].platform = {"windows", "amd64", ""};
  CHECK(hosts_of(placed({request("web")}, views, {amd}), views) == Names{"host-1"});
  auto arm = request("web");
  arm.platform = {"linux", "arm64", ""};
  CHECK(where({arm}, views) == Names{"host-0"});
  CHECK_FALSE(placed({arm}, views, {amd}).complete());
  views[2].platform = {};
  CHECK(where(replicas(arm, 2), {views[1], views[2]}) == Names{"host-2", "host-2"});
}

TEST_CASE("A constraint sees labels, facts of the engine before them, and the host itself",
          "[placement]") {
  auto views = hosts(3);
  views[0].labels = {{"dc", "west"}, {"storagedriver", "pretended"}};
  views[1].labels = {{"dc", "east"}};
  views[1].id = "id-of-1";
  views[0].facts = views[2].facts = {{"storagedriver", "overlay2"}};
  const auto with = [&](const char* text) {
    auto one = request("web");
    one.expressions = {expression(text)};
    return where({one}, views).front();
  };
  CHECK(with("constraint:dc==west") == "host-0");
  CHECK(with("constraint:dc==e*") == "host-1");
  CHECK(with("constraint:node==host-2") == "host-2");
  CHECK(with("constraint:node==id-of-1") == "host-1");
  CHECK(with("constraint:storagedriver==pretended").empty());
  CHECK(with("whitelist:node==host-9|host-1") == "host-1");
  // A label that is missing is empty.
  CHECK(with("constraint:dc!=/./") == "host-2");
  CHECK(with("constraint:dc==/^$/") == "host-2");
}

TEST_CASE("Several expressions must all hold", "[placement]") {
  auto views = hosts(3);
  views[0].labels = {{"dc", "west"}};
  views[1].labels = {{"dc", "west"}, {"disk", "ssd"}};
  views[2].labels = {{"disk", "ssd"}};
  auto one = request("web");
  one.expressions = {expression("constraint:dc==west"), expression("constraint:disk==ssd")};
  CHECK(where(replicas(one, 2), views) == Names{"host-1", "host-1"});
}

TEST_CASE("A host has one of the tags that are asked for", "[placement]") {
  auto views = hosts(3);
  views[1].labels = {{"gateway", ""}};
  auto one = request("web");
  one.tags = {"europe", "gateway"};
  CHECK(where({one}, views) == Names{"host-1"});
}

TEST_CASE("Soft expressions degrade one by one, those written first weigh most", "[placement]") {
  auto views = hosts(3);
  views[0].labels = {{"dc", "west"}};
  views[1].labels = {{"disk", "ssd"}, {"rack", "r1"}};
  auto one = request("web");
  // In classic Swarm a single soft expression that nobody meets gives up all of them.
  one.expressions = {expression("constraint:dc==~west"), expression("constraint:gpu==~yes"),
                     expression("constraint:disk==~ssd"), expression("constraint:rack==~r1")};
  const auto placement = placed({one}, views);
  CHECK(hosts_of(placement, views) == Names{"host-0"});
  CHECK(placement.slots[0].unmet ==
        Names{"constraint:gpu==~yes", "constraint:disk==~ssd", "constraint:rack==~r1"});
  one.expressions.erase(one.expressions.begin());
  CHECK(where({one}, views) == Names{"host-1"});
}

TEST_CASE("Soft expressions that cannot be met leave the hard ones as they are", "[placement]") {
  auto views = hosts(2);
  views[1].labels = {{"dc", "west"}};
  auto one = request("web");
  one.expressions = {expression("constraint:gpu==~yes"), expression("constraint:dc==west")};
  CHECK(where(replicas(one, 2), views) == Names{"host-1", "host-1"});
  one.expressions.push_back(expression("constraint:dc==east"));
  CHECK_FALSE(placed({one}, views).complete());
}

TEST_CASE("An affinity sees containers, images and labels of what is on a host", "[placement]") {
  auto views = hosts(3);
  views[0].containers = {container("db")};
  views[0].containers[0].labels = {{"tier", "data"}};
  views[0].containers[0].id = "4711";
  views[1].containers = {container("cache")};
  views[1].containers[0].image = "reg.example:5000/redis:7";
  views[2].images = {"reg.example:5000/app"};
  const auto with = [&](const char* text) {
    auto one = request("web");
    one.expressions = {expression(text)};
    return where({one}, views).front();
  };
  CHECK(with("affinity:container==db") == "host-0");
  CHECK(with("affinity:container==4711") == "host-0");
  CHECK(with("affinity:tier==data") == "host-0");
  CHECK(with("affinity:container==c*") == "host-1");
  // A port is no tag.
  CHECK(with("affinity:image==reg.example:5000/redis") == "host-1");
  CHECK(with("affinity:image==reg.example:5000/redis:7") == "host-1");
  CHECK(with("affinity:image==reg.example:5000/app") == "host-2");
  CHECK(with("affinity:image==reg.example:5000/app:latest") == "host-2");
  CHECK(with("affinity:image==reg.example").empty());
  CHECK(with("affinity:container!=*a*") != "host-1");
}

TEST_CASE("Replicas placed together keep away from each other and from each other's ports",
          "[placement]") {
  // Parallel scaling of classic Swarm and compose broke both.
  auto one = request("web");
  one.expressions = {expression("affinity:container!=web*")};
  const auto views = hosts(4);
  const auto apart = where(replicas(one, 4), views);
  CHECK(std::set<std::string>(apart.begin(), apart.end()).size() == 4);
  CHECK_FALSE(placed(replicas(one, 5), views).complete());

  auto port = request("web");
  port.ports = {{"", 80, "tcp"}};
  for (const auto strategy :
       {PlacementStrategy::layers, PlacementStrategy::pack, PlacementStrategy::binpack,
        PlacementStrategy::random, PlacementStrategy::round_robin, PlacementStrategy::locality,
        PlacementStrategy::spread}) {
    PlacementOptions options;
    options.strategy = strategy;
    const auto names = where(replicas(port, 4), views, options);
    CHECK(std::set<std::string>(names.begin(), names.end()).size() == 4);
    CHECK_FALSE(placed(replicas(port, 5), views, {}, options).complete());
  }
}

TEST_CASE("Who keeps others away does so whichever of them came first", "[placement]") {
  auto views = hosts(1);
  auto quiet = request("quiet");
  quiet.expressions = {expression("affinity:tier!=batch")};
  auto batch = request("batch");
  batch.labels = {{"tier", "batch"}};
  for (const auto& requests : {std::vector{quiet, batch}, std::vector{batch, quiet}}) {
    const auto placement = placed(requests, views);
    CHECK(placement.slots[0].node);
    CHECK_FALSE(placement.slots[1].node);
  }
  CHECK_THAT(placed({quiet, batch}, views).slots[1].problem,
             Catch::Contains("1 refused by repelled (host-0: what is there keeps it away by "
                             "affinity:tier!=batch)"));
  quiet.expressions = {expression("affinity:tier!=~batch")};
  CHECK(placed({quiet, batch}, views).complete());
}

TEST_CASE("What needs another container waits for it, wherever that stands", "[placement]") {
  auto views = hosts(5);
  auto web = request("web");
  web.expressions = {expression("affinity:container==db")};
  auto backup = request("backup");
  backup.beside = {"web"};
  const auto names = where({backup, web, request("db")}, views);
  CHECK(names[0] == names[2]);
  CHECK(names[1] == names[2]);
  CHECK_FALSE(names[2].empty());

  auto alone = request("alone");
  alone.beside = {"nobody"};
  const auto placement = placed({alone}, views);
  CHECK_THAT(placement.slots[0].problem, Catch::Contains("5 refused by beside"));
}

TEST_CASE("Host ports conflict by number, protocol and address", "[placement]") {
  auto views = hosts(1);
  views[0].containers = {container("old")};
  views[0].containers[0].ports = {{"10.0.0.1", 80, "tcp"}, {"", 53, "udp"}};
  const auto fits = [&](const HostPort& port) {
    auto one = request("web");
    one.ports = {port};
    return placed({one}, views).complete();
  };
  CHECK_FALSE(fits({"", 80, "tcp"}));
  CHECK_FALSE(fits({"0.0.0.0", 80, "tcp"}));
  CHECK_FALSE(fits({"10.0.0.1", 80, "tcp"}));
  CHECK(fits({"10.0.0.2", 80, "tcp"}));
  CHECK(fits({"", 80, "udp"}));
  CHECK(fits({"", 53, "tcp"}));
  CHECK_FALSE(fits({"127.0.0.1", 53, "udp"}));
  views[0].containers[0].running = false;
  CHECK_FALSE(fits({"", 80, "tcp"}));
}

TEST_CASE("Memory and cpu are reserved, to the last byte and not beyond", "[placement]") {
  auto views = hosts(2);
  views[0].memory_bytes = 1000 * kMiB;
  views[1].memory_bytes = 400 * kMiB;
  views[0].containers = {container("old")};
  views[0].containers[0].resources.memory_bytes = 400 * kMiB;
  auto one = request("web");
  one.resources.memory_bytes = 200 * kMiB;
  auto names = where(replicas(one, 5), views);
  CHECK(std::count(names.begin(), names.end(), "host-0") == 3);
  CHECK(std::count(names.begin(), names.end(), "host-1") == 2);
  const auto placement = placed(replicas(one, 6), views);
  CHECK_FALSE(placement.complete());
  CHECK_THAT(placement.slots[5].problem,
             Catch::Contains("2 refused by memory (host-0: 200.0 MiB asked for, 0 B free)"));
  PlacementOptions options;
  options.overcommit = 0.5;
  CHECK(placed(replicas(one, 6), views, {}, options).complete());

  views = hosts(1);
  views[0].cores = 2;
  views[0].cpu_mhz = 5200;
  auto half = request("half");
  half.resources.cpu_thousandths = 500;
  CHECK(placed(replicas(half, 4), views).complete());
  CHECK_FALSE(placed(replicas(half, 5), views).complete());
  auto mhz = request("mhz");
  mhz.resources.cpu_mhz = 2600;
  CHECK(placed(replicas(mhz, 2), views).complete());
  CHECK_FALSE(placed(replicas(mhz, 3), views).complete());
}

TEST_CASE("A container without memory or cpu can be placed, on hosts without either as well",
          "[placement]") {
  auto views = hosts(1);
  CHECK(placed({request("web")}, views).complete());
  views[0].memory_bytes = 1;
  views[0].cores = 1;
  CHECK(placed({request("web")}, views).complete());
  auto large = request("large");
  large.resources = {1ULL << 60, 1ULL << 40, 0};
  CHECK(placed({large}, hosts(1)).complete());
}

TEST_CASE("A disk has room for what a host lacks beside what was placed before", "[placement]") {
  auto views = hosts(1);
  views[0].disk_free_bytes = 900 * kMiB;
  views[0].disk_reserve_bytes = 100 * kMiB;
  // 100 MiB and, unpacked, 250 MiB.
  const auto a = image("a:1", {{"a", 100}});
  const auto b = image("b:1", {{"b", 100}});
  const auto c = image("c:1", {{"c", 100}});
  CHECK(placed({request("a", "", "a:1"), request("b", "", "b:1")}, views, {a, b, c}).complete());
  const auto full =
      placed({request("a", "", "a:1"), request("b", "", "b:1"), request("c", "", "c:1")}, views,
             {a, b, c});
  CHECK_FALSE(full.complete());
  CHECK_THAT(full.slots[2].problem,
             Catch::Contains("disk (host-0: 350.0 MiB asked for, 100.0 MiB free)"));
  // Siblings share what is there once.
  CHECK(placed(replicas(request("a", "", "a:1"), 50), views, {a}).complete());
  // Who has all of it needs no room, however full.
  views[0].disk_free_bytes = 0;
  views[0].layers = {held("a")};
  CHECK(placed({request("a", "", "a:1")}, views, {a}).complete());
}

TEST_CASE("The label containerslots caps what runs on a host", "[placement]") {
  auto views = hosts(2);
  views[0].labels = {{"containerslots", "2"}};
  views[1].labels = {{"containerslots", "1"}};
  views[0].containers = {container("old"), container("stopped")};
  views[0].containers[1].running = false;
  CHECK(placed(replicas(request("web"), 2), views).complete());
  CHECK_FALSE(placed(replicas(request("web"), 3), views).complete());
  views[1].labels = {{"containerslots", "many"}};
  CHECK(placed(replicas(request("web"), 9), views).complete());
}

TEST_CASE("Containers that were stopped are no load", "[placement]") {
  auto views = hosts(2);
  for (int i = 0; i < 6; ++i) {
    views[0].containers.push_back(container("old-" + std::to_string(i), "web"));
    views[0].containers.back().running = false;
    views[0].containers.back().resources.memory_bytes = 100 * kMiB;
  }
  views[0].memory_bytes = 100 * kMiB;
  views[1].containers = {container("busy")};
  auto one = request("web");
  one.resources.memory_bytes = 100 * kMiB;
  for (const auto strategy : {PlacementStrategy::layers, PlacementStrategy::spread}) {
    PlacementOptions options;
    options.strategy = strategy;
    CHECK(where({one}, views, options) == Names{"host-0"});
  }
}

TEST_CASE("Large requests go first, so that small ones leave them room", "[placement]") {
  auto views = hosts(2);
  views[0].memory_bytes = views[1].memory_bytes = 100 * kMiB;
  auto small = request("small");
  small.resources.memory_bytes = 30 * kMiB;
  auto large = request("large");
  large.resources.memory_bytes = 100 * kMiB;
  auto requests = replicas(small, 3);
  requests.push_back(large);
  CHECK(placed(requests, views).complete());
}

TEST_CASE("A slot without a host says why, and the others are placed", "[placement]") {
  auto views = hosts(4);
  views[0].alive = false;
  views[1].labels = {{"dc", "west"}};
  views[1].memory_bytes = 10 * kMiB;
  auto one = request("web");
  one.resources.memory_bytes = 20 * kMiB;
  one.expressions = {expression("constraint:dc==west")};
  const auto placement = placed({one, request("db")}, views);
  CHECK(
      placement.slots[0].problem ==
      "web cannot be placed: of 4 hosts, 1 refused by alive (host-0: it is not alive), 2 refused "
      "by constraint (host-2: against constraint:dc==west), 1 refused by memory (host-1: 20.0 MiB "
      "asked for, 10.0 MiB free)");
  CHECK(placement.slots[1].node);
  CHECK(placed({one}, {}).slots[0].problem == "web cannot be placed: there are no hosts");
}

TEST_CASE("Names that occur twice and limits are refused", "[placement]") {
  const auto views = hosts(2);
  CHECK(place({request("a"), request("a")}, views, {}).error().code == Errc::usage);
  CHECK(place({request("a")}, {views[0], views[0]}, {}).error().code == Errc::usage);
  CHECK(place({request("")}, views, {}).error().code == Errc::usage);
  auto one = request("a");
  one.spread = {{"dc", 0}};
  CHECK_FALSE(place({one}, views, {}));
  one.spread.assign(kSpreadLabelsMax + 1, {"dc", 1});
  CHECK_FALSE(place({one}, views, {}));
  one.spread.clear();
  one.expressions.assign(kSoftExpressionsMax + 1, expression("constraint:dc==~a"));
  CHECK_FALSE(place({one}, views, {}));
}

}  // namespace
}  // namespace shoal

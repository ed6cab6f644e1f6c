#include "orchestrator/placement/hosts_json.h"

#include <fmt/format.h>
#include <catch2/catch.hpp>

#include "tests/orchestrator/placement/cluster.h"

namespace shoal {
namespace {

const std::string kBase = Digest::of("base").to_string();
const std::string kApp = Digest::of("app").to_string();

HostView host(const std::string& json) {
  auto file = parse_hosts("[" + json + "]");
  INFO(json);
  INFO((file ? "" : file.error().message));
  REQUIRE(file);
  REQUIRE(file->hosts.size() == 1);
  return file->hosts.front();
}

std::string refused(const std::string& json) {
  const auto file = parse_hosts(json);
  INFO(json);
  REQUIRE_FALSE(file);
  CHECK(file.error().code == Errc::usage);
  return file.error().message;
}

TEST_CASE("A host's file says all that the placer asks", "[placement][json]") {
  const auto view = host(fmt::format(
      R"({{"hostname":"n1","id":"n-1","address":"tcp://10.0.0.1:4243","state":"live",
      "draining":true,"health":90,"platform":"linux/arm64/v8",
      "labels":{{"dc":"west"}},"tags":["gpu"],"facts":{{"storagedriver":"overlay2"}},
      "memory":"16GiB","cpus":8,"mhz":20800,"disk":{{"free":"40GB","reserve":1024}},
      "rates":{{"fetch":"10MiB","unpack":"20MiB","upstream":1000}},"queue":77,
      "layers":["{}",{{"digest":"{}","held":5,"fetching":true,"unpacked":false}}],
      "images":["app:1"],
      "containers":[{{"id":"/web-scale-2","container":"4711","image":"acme/web",
        "ports":["80:8080/udp"],
        "memory":"5MB","cpu":3,"labels":{{"tier":"web"}}}},
        {{"id":"old","service":"other","image":"old:1","state":"exited"}}]}})",
      kBase, kApp));
  CHECK(view.name == "n1");
  CHECK(view.id == "n-1");
  CHECK(view.address == "tcp://10.0.0.1:4243");
  CHECK(view.alive);
  CHECK(view.draining);
  CHECK(view.health == 90);
  CHECK(view.platform == Platform{"linux", "arm64", "v8"});
  CHECK(view.labels == std::map<std::string, std::string>{{"dc", "west"}, {"gpu", ""}});
  CHECK(view.facts == std::map<std::string, std::string>{{"storagedriver", "overlay2"},
                                                         {"ostype", "linux"},
                                                         {"architecture", "arm64"}});
  CHECK(view.memory_bytes == 16ULL << 30);
  CHECK(view.cores == 8);
  CHECK(view.cpu_mhz == 20800);
  CHECK(view.disk_free_bytes == 40ULL << 30);
  CHECK(view.disk_reserve_bytes == 1024);
  CHECK(view.rates.fetch == 10 << 20);
  CHECK(view.rates.unpack == 20 << 20);
  CHECK(view.rates.upstream == 1000);
  CHECK(view.queue_bytes == 77);
  REQUIRE(view.layers.size() == 2);
  CHECK(view.layers[0].digest == Digest::of("base"));
  CHECK_FALSE(view.layers[0].bytes);
  CHECK(view.layers[0].unpacked);
  CHECK(view.layers[1].bytes == 5);
  CHECK(view.layers[1].fetching);
  CHECK_FALSE(view.layers[1].unpacked);
  CHECK(view.images == std::vector<std::string>{"app:1"});
  REQUIRE(view.containers.size() == 2);
  const auto& web = view.containers[0];
  CHECK(web.name == "web-scale-2");
  CHECK(web.id == "4711");
  CHECK(web.service == "web");
  CHECK(web.image == "acme/web:latest");
  CHECK(web.ports == std::vector<HostPort>{{"", 80, "udp"}});
  CHECK(web.resources == Resources{5 << 20, 3, 0});
  CHECK(web.labels.at("tier") == "web");
  CHECK(web.running);
  CHECK(view.containers[1].service == "other");
  CHECK_FALSE(view.containers[1].running);
}

TEST_CASE("What a host's file does not say is not known", "[placement][json]") {
  const auto view = host(R"({"hostname":"n1","memory":null,"anything":{"else":1}})");
  CHECK(view.alive);
  CHECK(view.health == 100);
  CHECK(view.memory_bytes == 0);
  CHECK_FALSE(view.disk_free_bytes);
  CHECK(view.rates.fetch == HostRates{}.fetch);
  CHECK(view.address.empty());
}

TEST_CASE("The node JSON of cccf's schedulers is read as it is", "[placement][json]") {
  const auto view = host(R"({"hostname":"n1","ip":"192.0.2.1","swarm":"acme",
      "tags":["europe","gateway"],"engines":["docker:4243"],"memory":1779699712,
      "cpus":[{"model":"x","speed":2600},{"model":"x","speed":2600}],
      "services":[{"id":"web","image":"i","memory":"500MB","cpu":500}]})");
  CHECK(view.address == "192.0.2.1");
  CHECK(view.labels.count("gateway") == 1);
  CHECK(view.memory_bytes == 1779699712);
  CHECK(view.cores == 2);
  CHECK(view.cpu_mhz == 5200);
  CHECK(view.containers.at(0).resources.cpu_mhz == 500);
}

TEST_CASE("Images have layers, for one platform or for several", "[placement][json]") {
  const auto text = fmt::format(
      R"({{"acme/web:1":{{"layers":[{{"digest":"{}","size":"10MiB","unpacked":7}}]}},
      "db":{{"manifests":[{{"platform":"linux/amd64","layers":[]}},
        {{"platform":"linux/arm64","layers":[{{"digest":"{}","size":3}}]}}]}}}})",
      kBase, kApp);
  for (const auto& whole : {text, R"({"images":)" + text + "}"}) {
    const auto images = parse_images(whole);
    REQUIRE(images);
    REQUIRE(images->size() == 2);
    CHECK(images->at(0).name == "acme/web:1");
    CHECK(images->at(0).manifests.at(0).layers.at(0).bytes == 10 << 20);
    CHECK(images->at(0).manifests.at(0).layers.at(0).unpacked_bytes == 7);
    CHECK(images->at(1).manifests.at(1).platform.architecture == "arm64");
    CHECK(images->at(1).manifests.at(1).layers.at(0).unpacked_bytes == 0);
  }
  const auto file = parse_hosts(R"({"nodes":[{"hostname":"n1"}],"images":)" + text + "}");
  REQUIRE(file);
  CHECK(file->images.size() == 2);
}

TEST_CASE("What is wrong in a host's file is named with its place", "[placement][json]") {
  const auto one = [](const std::string& field) {
    return refused(R"({"nodes":[{"hostname":"a"},{"hostname":"b",)" + field + "}]}");
  };
  CHECK_THAT(one(R"("memory":"much")"), Catch::StartsWith("/nodes/1/memory: it is no number of"));
  CHECK_THAT(one(R"("memory":99999999999999999999)"), Catch::StartsWith("/nodes/1/memory"));
  CHECK_THAT(one(R"("state":"tired")"), Catch::Contains("/nodes/1/state: it is no state"));
  CHECK_THAT(one(R"("health":101)"), Catch::Contains("from 0 to 100"));
  CHECK_THAT(one(R"("labels":{"node":"b"})"), Catch::Contains("/nodes/1/labels/node"));
  CHECK_THAT(one(R"("labels":{"a/b":1})"), Catch::Contains("/nodes/1/labels/a~1b: it is no text"));
  CHECK_THAT(one(R"("platform":"amd64")"), Catch::Contains("linux/amd64"));
  CHECK_THAT(one(R"("layers":["sha256:1"])"),
             Catch::Contains("/nodes/1/layers/0: it is no digest"));
  CHECK_THAT(one(R"("rates":{"fetch":0})"), Catch::Contains("above 0"));
  CHECK_THAT(one(R"("cpus":[{"speed":-1}])"), Catch::Contains("/nodes/1/cpus/0/speed"));
  CHECK_THAT(one(R"("containers":[{"image":"i"}])"), Catch::Contains("/nodes/1/containers/0"));
  CHECK_THAT(one(R"("containers":[{"id":"x","image":"i","memory":"?"}])"),
             Catch::Contains("/nodes/1/containers/0/memory"));
  CHECK_THAT(refused(R"([{"ip":"10.0.0.1"}])"), Catch::Contains("/0/hostname"));
  CHECK_THAT(refused(R"([7])"), Catch::Contains("/0: it is no node"));
  CHECK_THAT(refused(R"({})"), Catch::Contains("/nodes"));
  CHECK_THAT(refused(R"(7)"), Catch::Contains("/nodes"));
  CHECK_FALSE(refused("{").empty());
  CHECK_FALSE(parse_images(R"({"app":{}})"));
  CHECK_FALSE(parse_images(R"({"app":{"layers":[{"digest":"x","size":1}]}})"));
  CHECK_FALSE(parse_images(R"({"app":{"layers":[{"digest":")" + kBase + R"("}]}})"));
  CHECK_FALSE(parse_images("[]"));
}

}  // namespace
}  // namespace shoal

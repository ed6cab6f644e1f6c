#include "orchestrator/placement/cccf_requests.h"

#include <catch2/catch.hpp>

#include "orchestrator/cccf/read.h"

namespace shoal {
namespace {

std::vector<PlacementRequest> read(const std::string& json, CccfDiagnostics& problems) {
  const auto document = read_cccf(json);
  REQUIRE(document);
  return requests_of(*document, problems);
}

PlacementRequest one(const std::string& fields) {
  CccfDiagnostics problems;
  auto requests = read(R"({"id":"web","image":"reg:5000/web")" + fields + "}", problems);
  INFO((problems.empty() ? "" : to_text(problems.front())));
  REQUIRE(problems.empty());
  return requests.at(0);
}

std::string problem(const std::string& fields) {
  CccfDiagnostics problems;
  static_cast<void>(read(R"({"id":"web","image":"i")" + fields + "}", problems));
  INFO(fields);
  REQUIRE(problems.size() == 1);
  CHECK(problems[0].check == "field");
  return problems[0].pointer + " " + problems[0].message;
}

TEST_CASE("A container's fields become what it asks of its host", "[placement][cccf]") {
  const auto request = one(R"(,"ports":["80:8080","53:53/udp"],"memory":"5MB","cpu":1.5,
      "cpus":"0.25","labels":{"tier":"web"},"platform":"linux/arm64",
      "host":"tcp://10.0.0.1:4243")");
  CHECK(request.slot == "web");
  CHECK(request.service == "web");
  CHECK(request.image == "reg:5000/web:latest");  // A port is no tag.
  CHECK(request.ports == std::vector<HostPort>{{"", 80, "tcp"}, {"", 53, "udp"}});
  CHECK(request.resources == Resources{5 << 20, 2, 250});
  CHECK(request.labels.at("tier") == "web");
  CHECK(request.platform == Platform{"linux", "arm64", ""});
  CHECK(request.current_host == "tcp://10.0.0.1:4243");
}

TEST_CASE("Instances are replicas of their service, other ids are their own", "[placement][cccf]") {
  CccfDiagnostics problems;
  const auto requests = read(R"([{"id":"web","image":"i"},{"id":"web-scale-2","image":"i"},
      {"id":"gray-scale-filter","image":"i"},{"id":"blue","service":"web","image":"i"}])",
                             problems);
  CHECK(requests[1].service == "web");
  CHECK(requests[1].slot == "web-scale-2");
  CHECK(requests[2].service == "gray-scale-filter");
  CHECK(requests[3].service == "web");
}

TEST_CASE("Expressions come from fields, classic Swarm's labels and tags", "[placement][cccf]") {
  const auto request = one(R"(,"constraints":["dc==west","constraint:node!=n1"],
      "affinities":["container!=~web*"],"placement":["gateway","whitelist:node==a|b"],
      "labels":{"com.docker.swarm.constraints":"[\"disk==ssd\"]",
                "com.docker.swarm.affinities":"[\"image==redis\"]",
                "com.docker.swarm.whitelists":"[\"node==c\"]"})");
  std::vector<std::string> texts;
  for (const auto& expression : request.expressions) texts.push_back(expression.text());
  CHECK(texts == std::vector<std::string>{"constraint:dc==west", "constraint:node!=n1",
                                          "constraint:disk==ssd", "affinity:container!=~web*",
                                          "affinity:image==redis", "whitelist:node==a|b",
                                          "whitelist:node==c"});
  CHECK(request.tags == std::vector<std::string>{"gateway"});
}

TEST_CASE("What Docker shares on one host only is beside it", "[placement][cccf]") {
  const auto request = one(R"(,"volumes-from":["$data:ro"],"link":"db:alias","net":"container:vpn",
      "links":["$other"],"depends":["first"])");
  CHECK(request.beside == std::vector<std::string>{"data", "db", "other", "vpn"});
  CHECK(one(R"(,"net":"host")").beside.empty());
}

TEST_CASE("Spread is a label or several, each with its skew", "[placement][cccf]") {
  CHECK(one(R"(,"spread":"dc")").spread == std::vector<SpreadLabel>{{"dc", 1}});
  CHECK(one(R"(,"spread":["dc",{"label":"rack","max_skew":3}])").spread ==
        std::vector<SpreadLabel>{{"dc", 1}, {"rack", 3}});
}

TEST_CASE("What cannot be read is an error with its pointer", "[placement][cccf]") {
  CHECK_THAT(problem(R"(,"constraints":["dc=west"])"),
             Catch::StartsWith("/constraints") && Catch::Contains("== or !="));
  CHECK_THAT(problem(R"(,"affinities":["x==y"])"), Catch::StartsWith("/affinities"));
  CHECK_THAT(problem(R"(,"placement":["constraint:dc"])"), Catch::StartsWith("/placement"));
  CHECK_THAT(problem(R"(,"platform":"arm")"), Catch::StartsWith("/platform"));
  CHECK_THAT(problem(R"(,"spread":[{"max_skew":1}])"), Catch::StartsWith("/spread"));
  CHECK_THAT(problem(R"(,"spread":[{"label":"dc","max_skew":0}])"), Catch::StartsWith("/spread"));
  CHECK_THAT(problem(R"(,"spread":["a1","b1","c1","d1","e1"])"), Catch::StartsWith("/spread"));
  CHECK_THAT(problem(R"(,"cpus":"many")"), Catch::StartsWith("/cpus"));
  CHECK_THAT(problem(R"(,"cpu":1e300)"), Catch::StartsWith("/cpu"));
  CHECK_THAT(problem(R"(,"labels":{"com.docker.swarm.whitelists":"{"})"),
             Catch::StartsWith("/labels"));
}

}  // namespace
}  // namespace shoal

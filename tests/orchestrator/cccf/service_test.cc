#include "orchestrator/cccf/service.h"

#include "orchestrator/cccf/canonical.h"
#include "orchestrator/cccf/quantity.h"
#include "tests/orchestrator/cccf/documents.h"

namespace shoal {
namespace {

using std::chrono::milliseconds;

CccfService service_of(std::string_view text) {
  CccfDiagnostics problems;
  auto service = view(document_of(text).items.front(), problems);
  CHECK(brief(problems) == Lines{});
  return service;
}

TEST_CASE("A service is read out of its fields", "[cccf]") {
  const auto service = service_of(R"({"id":"/web","image":"reg:5000/acme/shop","cmd":"node 'a b'",
    "ports":["80:8080","53:53/udp"],"env":["A=1","B=2","A=3"],
    "volumes":["/data","name:/c:ro"],"expose":["9000"],"label":["x=y","only"],
    "labels":{"k":"v"},"memory":"1.5GB","cpu":500,"constraints":["constraint:dc==west","ssd==y"],
    "affinities":["container!=~web*"],"placement":["edge"],"host":"tcp://h:1","scale":3,
    "links":["$db:store"],"depends":["db","cache"],"volumes-from":["$data:ro"],
    "health":{"http":"8080/ready","interval":"2s","retries":5},"stop_grace":"1m30s"})");
  CHECK(service.id == "web");
  CHECK(service.image == "reg:5000/acme/shop:latest");
  CHECK(service.command == Lines{"node", "a b"});
  CHECK(service.ports == std::vector<CccfPort>{{80, 8080, CccfPort::Protocol::tcp},
                                               {53, 53, CccfPort::Protocol::udp}});
  CHECK(service.env == Lines{"B=2", "A=3"});
  CHECK(service.volumes == std::vector<CccfVolume>{{"/data", "/data", ""}, {"name", "/c", "ro"}});
  CHECK(service.expose == std::vector<std::uint16_t>{9000});
  CHECK(service.labels == std::map<std::string, std::string>{{"x", "y"}, {"only", ""}, {"k", "v"}});
  CHECK(service.memory_bytes == 1'610'612'736);
  CHECK(service.cpu == 500.0);
  CHECK(service.constraints == Lines{"dc==west", "ssd==y"});
  CHECK(service.affinities == Lines{"container!=~web*"});
  CHECK(service.placement == Lines{"edge"});
  CHECK(service.host == "tcp://h:1");
  CHECK(service.scale == 3);
  CHECK(service.depends == Lines{"db", "cache", "data"});
  REQUIRE(service.health);
  CHECK(service.health->port == 8080);
  CHECK(service.health->path == "/ready");
  CHECK(service.health->interval == milliseconds(2000));
  CHECK(service.health->retries == 5);
  CHECK(service.stop_grace == milliseconds(90'000));
  CHECK(service.spec_hash.size() == 71);
}

TEST_CASE("Defaults are those of a container that says nothing", "[cccf]") {
  const auto service = service_of(R"({"id":"a","image":"i"})");
  CHECK(service.scale == 1);
  CHECK(service.stop_grace == milliseconds(10'000));
  CHECK_FALSE(service.memory_bytes);
  CHECK_FALSE(service.health);
  CHECK(service.host.empty());
}

TEST_CASE("Health checks have three ways", "[cccf]") {
  CHECK(service_of(R"({"id":"a","image":"i","health":{"tcp":53}})").health->kind ==
        CccfHealthCheck::Kind::tcp);
  const auto exec = service_of(R"({"id":"a","image":"i","health":{"exec":"pg -q 'a b'"}})").health;
  CHECK(exec->command == Lines{"pg", "-q", "a b"});
  CHECK(service_of(R"({"id":"a","image":"i","health":{"exec":["x","y z"]}})").health->command ==
        Lines{"x", "y z"});
  CHECK(service_of(R"({"id":"a","image":"i","health":{"http":8080}})").health->path == "/");
}

TEST_CASE("Classic Swarm's labels hold expressions, too", "[cccf]") {
  const auto service =
      service_of(R"({"id":"a","image":"i","label":["com.docker.swarm.constraints=[\"dc==b\"]"]})");
  CHECK(service.constraints == Lines{"dc==b"});
}

TEST_CASE("A host is an address, a path, or an object that has one", "[cccf]") {
  CHECK(host_address(json_of(R"("192.0.2.7:4243")")) == "192.0.2.7:4243");
  CHECK(host_address(json_of(R"("/run/x.sock")")) == "unix:///run/x.sock");
  CHECK(host_address(json_of(R"({"id":"a","host":"192.0.2.1","port":4243})")) ==
        "tcp://192.0.2.1:4243");
  CHECK(host_address(json_of(R"({"hostname":"n1","ip":"192.0.2.1","engines":[]})")) == "192.0.2.1");
  CHECK(host_address(json_of("5")).empty());
}

TEST_CASE("Memory is 1024-based, with every unit's spelling", "[cccf]") {
  const auto [text, bytes] = GENERATE(table<std::string, std::uint64_t>({
      {R"("500MB")", 524'288'000},
      {R"("1GB")", 1ULL << 30},
      {R"("1g")", 1ULL << 30},
      {R"("64KiB")", 65536},
      {R"("1.5 k")", 1536},
      {R"("7")", 7},
      {"1779699712", 1779699712},
      {R"("12B")", 12},
  }));
  CAPTURE(text);
  CHECK(read_bytes(json_of(text)) == bytes);
  for (const auto* const other :
       {R"("MB")", R"("-1MB")", R"("1XB")", "-5", "1.5", "true", R"("")"}) {
    CHECK_FALSE(read_bytes(json_of(other)));
  }
}

TEST_CASE("Spans of time are read as Go writes them", "[cccf]") {
  const auto [text, ms] = GENERATE(table<std::string, int>({
      {"10", 10'000},
      {"0.25", 250},
      {R"("500ms")", 500},
      {R"("1m30s")", 90'000},
      {R"("1h")", 3'600'000},
      {R"("0")", 0},
      {R"("1.5s")", 1500},
      {R"("1ns")", 1},
  }));
  CAPTURE(text);
  CHECK(read_span(json_of(text)) == milliseconds(ms));
  for (const auto* const other : {R"("10")", R"("s")", R"("1 s")", "-1", R"("9999999h")", "null"}) {
    CHECK_FALSE(read_span(json_of(other)));
  }
}

}  // namespace
}  // namespace shoal

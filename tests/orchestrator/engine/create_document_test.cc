#include <string>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "orchestrator/cccf/read.h"
#include "orchestrator/engine/create_document.h"
#include "orchestrator/engine/wanted_slot.h"

namespace shoal {
namespace {

using Json = nlohmann::json;

const ImageReference& image() {
  static const auto kImage =
      *ImageReference::parse("127.0.0.1:5000/app/web@sha256:" + std::string(64, '1'));
  return kImage;
}

struct Made {
  Json document;
  CccfDiagnostics problems;
};

Made make(const std::string& service) {
  Made made;
  const auto read = read_cccf(service);
  REQUIRE(read);
  made.document = Json::parse(create_document(read->items.at(0), image(), made.problems));
  return made;
}

TEST_CASE("A service becomes what `docker run` would create, under the image's digest",
          "[engine]") {
  const auto made = make(R"({"id":"/web","image":"app/web:1","cmd":"node server.js --name 'a b'",
    "ports":["8080:80","8125:8125/udp"],"env":["B=2","A=1 2"],"volumes":["/srv:/data:ro","/logs"],
    "expose":["9000"],"labels":{"tier":"front"},"memory":"250MB","cpu":500,"dns":["192.0.2.1"],
    "restart":"on-failure:3","privileged":true,"stop_grace":"15s"})");
  CHECK(made.problems.empty());
  const auto& document = made.document;
  CHECK(document["Image"] == image().text());
  CHECK(document["Cmd"] == Json({"node", "server.js", "--name", "a b"}));
  CHECK(document["Env"] == Json({"A=1 2", "B=2"}));
  CHECK(document["Labels"] == Json({{"tier", "front"}}));
  CHECK(document["StopTimeout"] == 15);
  CHECK(document["ExposedPorts"].size() == 3);
  const auto& host = document["HostConfig"];
  CHECK(host["PortBindings"]["80/tcp"] == Json::parse(R"([{"HostPort":"8080"}])"));
  CHECK(host["PortBindings"]["8125/udp"] == Json::parse(R"([{"HostPort":"8125"}])"));
  CHECK(host["Binds"].size() == 2);
  CHECK(host["Memory"] == 250 << 20);
  CHECK(host["CpuShares"] == 500);
  CHECK(host["Dns"] == Json({"192.0.2.1"}));
  CHECK(host["Privileged"] == true);
  CHECK(host["RestartPolicy"] == Json::parse(R"({"Name":"on-failure","MaximumRetryCount":3})"));
}

TEST_CASE("Flags of `docker run` go where it puts them", "[engine]") {
  const auto made = make(R"({"id":"a","image":"a","network":"host","log-driver":"json-file",
    "log-opt":["max-size=10m","max-file=3"],"entrypoint":"/bin/sh -c","cap-add":["NET_ADMIN"],
    "device":["/dev/fuse","/dev/a:/dev/b:r"],"tmpfs":["/run:size=1m"],"ulimit":["nofile=10:20"],
    "add-host":["db:192.0.2.7"],"read-only":true,"init":true,"user":"1000","workdir":"/srv",
    "hostname":"h","cpus":1.5,"shm-size":"1m","sysctl":["net.core.somaxconn=1024"],"pid":"host",
    "health-cmd":"true","health-interval":"2s","publish":["127.0.0.1:81:80"],"memory-swap":-1})");
  CHECK(made.problems.empty());
  const auto& host = made.document["HostConfig"];
  CHECK(host["NetworkMode"] == "host");
  CHECK(host["LogConfig"] ==
        Json::parse(R"({"Type":"json-file","Config":{"max-size":"10m","max-file":"3"}})"));
  CHECK(made.document["Entrypoint"] == Json({"/bin/sh", "-c"}));
  CHECK(host["CapAdd"] == Json({"NET_ADMIN"}));
  CHECK(host["Devices"].size() == 2);
  CHECK(host["Tmpfs"] == Json::parse(R"({"/run":"size=1m"})"));
  CHECK(host["Ulimits"] == Json::parse(R"([{"Name":"nofile","Soft":10,"Hard":20}])"));
  CHECK(host["NanoCpus"] == 1'500'000'000);
  CHECK(host["ShmSize"] == 1 << 20);
  CHECK(host["Sysctls"] == Json::parse(R"({"net.core.somaxconn":"1024"})"));
  CHECK(host["PidMode"] == "host");
  CHECK(host["MemorySwap"] == -1);
  CHECK(host["PortBindings"]["80/tcp"] ==
        Json::parse(R"([{"HostPort":"81","HostIp":"127.0.0.1"}])"));
  CHECK(made.document["Healthcheck"] ==
        Json::parse(R"({"Test":["CMD-SHELL","true"],"Interval":2000000000})"));
}

TEST_CASE("Without `restart` a container survives its end, with `no` it does not", "[engine]") {
  const auto policy = [](const std::string& restart) {
    return make(R"({"id":"a","image":"a")" + restart + "}").document["HostConfig"]["RestartPolicy"];
  };
  CHECK(policy("") == Json({{"Name", "unless-stopped"}}));
  CHECK(policy(R"(,"restart":"no")") == Json({{"Name", "no"}}));
  CHECK(policy(R"(,"restart":"always")") == Json({{"Name", "always"}}));
}

TEST_CASE("A field that the engine has no place for is said, and one that is wrong refused",
          "[engine]") {
  const auto unknown = make(R"({"id":"a","image":"a","frobnicate":1,"rm":true})");
  REQUIRE(unknown.problems.size() == 2);
  for (const auto& problem : unknown.problems) {
    CHECK(problem.check == "engine-field");
    CHECK(problem.severity == CccfDiagnostic::Severity::warning);
  }
  CHECK(unknown.problems[0].pointer == "/frobnicate");
  for (const auto* field :
       {R"("restart":"sometimes")", R"("restart":"always:3")", R"("ports":["99999:80"])",
        R"("ulimit":["nofile"])", R"("labels":{"shoal.owner":"c2"})",
        R"("memory-reservation":"much")", R"("privileged":"yes")", R"("cpus":"all")"}) {
    CAPTURE(field);
    const auto wrong = make(R"({"id":"a","image":"a",)" + std::string(field) + "}");
    REQUIRE(wrong.problems.size() == 1);
    CHECK(wrong.problems[0].check == "engine-field");
  }
}

TEST_CASE("Fields about placement and dependencies are not the engine's, and nothing to say",
          "[engine]") {
  const auto made = make(R"({"id":"a","image":"a","scale":3,"host":"h","placement":["x"],
    "constraints":["dc==west"],"affinities":[],"depends":["db"],"links":["$db"],
    "health":{"tcp":80},"fingerprint":"f","driver":"docker"})");
  CHECK(made.problems.empty());
  CHECK(made.document.size() == 2);
}

TEST_CASE("Two spellings of one service give the same document, byte for byte", "[engine]") {
  CccfDiagnostics problems;
  const auto a = read_cccf(R"({"id":"a","image":"a","env":["A=1","B=2"],"memory":"1MB"})");
  const auto b =
      read_cccf(R"({"memory":1048576,"env":["B=2","A=1"],"image":"a:latest","id":"/a"})");
  CHECK(create_document(a->items[0], image(), problems) ==
        create_document(b->items[0], image(), problems));
}

TEST_CASE("Shoal's labels stand beside the service's own and cannot be forged", "[engine]") {
  const LabelMap ours = {{"shoal.owner", "c1"}};
  const auto both = with_labels(R"({"Labels":{"tier":"front"}})", ours);
  REQUIRE(both);
  CHECK(Json::parse(*both)["Labels"] == Json({{"tier", "front"}, {"shoal.owner", "c1"}}));
  CHECK(with_labels(R"({"Image":"a"})", ours));
  CHECK(with_labels(R"({"Labels":null})", ours));
  for (const auto* bad : {"", "[]", R"({"Labels":[]})", R"({"Labels":{"shoal.slot":"x"}})"}) {
    CHECK(with_labels(bad, ours).error().code == Errc::bad_request);
  }
}

TEST_CASE("A slot out of a service has its check, grace, ports and restarts", "[engine]") {
  CccfDiagnostics problems;
  const auto read = read_cccf(R"({"id":"web","image":"app/web:1","stop_grace":"3s",
    "ports":["8080:80"],"restart":"on-failure","health":{"http":"80/ready","interval":"1s"}})");
  const auto slot = wanted_slot(read->items[0], image(), "web-scale-2", 9, problems);
  CHECK(problems.empty());
  CHECK(slot.service == "web");
  CHECK(slot.slot == "web-scale-2");
  CHECK(slot.generation == 9);
  CHECK(slot.image_text == "app/web:1");
  CHECK(slot.spec_hash.starts_with("sha256:"));
  CHECK(slot.stop_grace == std::chrono::seconds(3));
  CHECK(slot.restart == WantedSlot::Restart::on_failure);
  CHECK(slot.health->path == "/ready");
  CHECK(slot.ports.size() == 1);
  CHECK_FALSE(slot.take_over);
  CHECK(image_of(slot.document)->text() == image().text());
}

}  // namespace
}  // namespace shoal

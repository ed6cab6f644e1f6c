#include "orchestrator/cccf/from_docker.h"

#include "orchestrator/cccf/diff.h"
#include "tests/orchestrator/cccf/documents.h"

namespace shoal {
namespace {

// What Docker 20.10 says, less what is not looked at.
constexpr const char* kImage = R"({"Id":"sha256:11","RepoTags":["acme/app:1"],"RootFS":{},"Config":{
  "Env":["PATH=/bin","MODE=image"],"Cmd":["serve"],"Entrypoint":["/app"],"WorkingDir":"/srv",
  "User":"app","Labels":{"vendor":"acme"},"ExposedPorts":{"8080/tcp":{}},"Volumes":{"/data":{}}}})";

std::string container(const std::string& config, const std::string& host) {
  return R"({"Id":"abcdef0123456789","Name":"/web","Image":"sha256:11","State":{},"Config":{)"
         R"("Image":"acme/app:1","Hostname":"abcdef012345","Env":["PATH=/bin","MODE=image"],)"
         R"("Cmd":["serve"],"Entrypoint":["/app"],"WorkingDir":"/srv","User":"app",)"
         R"("Volumes":{"/data":{}})" +
         config + R"(},"HostConfig":{"NetworkMode":"default","RestartPolicy":{"Name":"no"},)" +
         R"("LogConfig":{"Type":"json-file","Config":{}},"ShmSize":67108864,"Runtime":"runc",)" +
         R"("IpcMode":"private")" + host + "}}";
}

std::string read_back(const std::string& text) {
  DockerInspection inspection;
  const auto added = add_inspection(text, inspection);
  INFO((added ? std::string() : added.error().message));
  REQUIRE(added);
  CccfDiagnostics problems;
  const auto document = from_docker(inspection, "", problems);
  CHECK(brief(problems) == Lines{});
  return to_text(document.to_json());
}

TEST_CASE("A container that was started with its image alone is its id and its image", "[cccf]") {
  CHECK(read_back("[" + container("", "") + "]\n[" + kImage + "]") ==
        R"([{"id":"web","image":"acme/app:1"}])");
}

TEST_CASE("What was given to a container is in its document", "[cccf]") {
  const auto [config, host, fields] = GENERATE(table<std::string, std::string, std::string>({
      {R"(,"Cmd":["a","b c"])", "", R"("cmd":"a 'b c'")"},
      {R"(,"Entrypoint":["sh","-c"],"Cmd":["x y"])", "", R"("entrypoint":"sh","cmd":"-c 'x y'")"},
      {R"(,"Env":["PATH=/bin","MODE=user","A-B=1","N=a\nb"])", "",
       R"("env":["MODE=user"],"e":["A-B=1","N=a\nb"])"},
      {R"(,"Env":["PATH=/bin","MODE=image","X=${HOME}"])", "", R"("env":["X=$${HOME}"])"},
      {R"(,"ExposedPorts":{"8080/tcp":{},"9000/tcp":{},"80/tcp":{}})",
       R"(,"PortBindings":{"80/tcp":[{"HostIp":"","HostPort":"8000"},)"
       R"({"HostIp":"127.0.0.1","HostPort":"8001"}],)"
       R"("53/udp":[{"HostIp":"0.0.0.0","HostPort":"53"}]})",
       R"("ports":["8000:80","53:53/udp"],"publish":["127.0.0.1:8001:80"],"expose":["9000"])"},
      {"", R"(,"Binds":["/a:/b:ro","name:/c","/x:/"])",
       R"("volumes":["/a:/b:ro","name:/c"],"v":["/x:/"])"},
      {R"(,"Labels":{"vendor":"acme","tier":"web"})", "", R"("label":["tier=web"])"},
      {R"(,"Hostname":"shop","User":"root","WorkingDir":"/")", "",
       R"("user":"root","workdir":"/","hostname":"shop")"},
      {"", R"(,"Memory":524288000,"MemorySwap":1048576000,"CpuShares":500,"NanoCpus":1500000000)",
       R"("memory":524288000,"cpu":500,"cpus":1.5)"},
      {"", R"(,"RestartPolicy":{"Name":"on-failure","MaximumRetryCount":3},"AutoRemove":true)",
       R"("restart":"on-failure:3","rm":true)"},
      {"", R"(,"NetworkMode":"host","Dns":["192.0.2.53"],"Links":["/db:/web/db","/c:/web/store"])",
       R"("network":"host","dns":["192.0.2.53"],"links":["$db","c:store"])"},
      {"", R"(,"Privileged":true,"SecurityOpt":["label=disable"],"CapAdd":["NET_ADMIN"])",
       R"("privileged":true,"cap-add":["NET_ADMIN"])"},
      {R"(,"StopTimeout":30,"StopSignal":"SIGINT")", "",
       R"("stop-signal":"SIGINT","stop-timeout":30)"},
      {R"(,"Healthcheck":{"Test":["CMD-SHELL","true"],"Interval":5000000000,"Retries":3})", "",
       R"("health-cmd":"true","health-interval":"5000ms","health-retries":3)"},
      {R"(,"Tty":true,"OpenStdin":true)", R"(,"Tmpfs":{"/run":"","/tmp":"size=1m"})",
       R"("tmpfs":["/run","/tmp:size=1m"],"tty":true,"interactive":true)"},
      {"", R"(,"LogConfig":{"Type":"syslog","Config":{"tag":"x"}})",
       R"("log-driver":"syslog","log-opt":["tag=x"])"},
      {"", R"(,"Mounts":[{"Type":"bind","Source":"/a","Target":"/b","ReadOnly":true}])",
       R"("mount":["type=bind,source=/a,target=/b,readonly"])"},
  }));
  CAPTURE(config, host);
  CHECK(read_back(container(config, host) + kImage) ==
        R"([{"id":"web","image":"acme/app:1",)" + fields + "}]");
}

TEST_CASE("Without its image a container keeps its image's defaults, and that is said", "[cccf]") {
  DockerInspection inspection;
  REQUIRE(add_inspection(container("", ""), inspection));
  CccfDiagnostics problems;
  const auto document = from_docker(inspection, "tcp://h:1", problems);
  CHECK(brief(problems) == Lines{"no-image /0"});
  CHECK_FALSE(has_errors(problems));
  CHECK(*document.items[0].fields.find_text("host") == "tcp://h:1");
  CHECK(*document.items[0].fields.find_text("entrypoint") == "/app");
}

TEST_CASE("What is no inspection is refused", "[cccf]") {
  for (const auto* const text : {"[1]", R"({"Name":"bridge","IPAM":{}})", "{", "[]]", "x"}) {
    CAPTURE(text);
    DockerInspection inspection;
    const auto added = add_inspection(text, inspection);
    REQUIRE_FALSE(added);
    CHECK(added.error().code == Errc::bad_request);
  }
  DockerInspection inspection;
  CHECK(add_inspection("[]\n[]", inspection));
  CHECK(add_inspection("", inspection));
}

}  // namespace
}  // namespace shoal

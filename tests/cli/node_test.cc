#include "cli/node.h"

#include <regex>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "cli/systemd.h"
#include "tests/cli/node_fixture.h"

namespace shoal {
namespace {

using Catch::Contains;

TEST_CASE_METHOD(NodeTest, "A node is alive, ready, and says what it is", "[cli][node]") {
  CHECK(ask("GET", "/healthz").status == 200);
  CHECK(ask("GET", "/readyz").body == "ready\n");
  CHECK_THAT(ask("GET", "/").body, Contains("shoal") && Contains("docker push"));
  CHECK(ask("GET", "/v2/").status == 200);
  CHECK(ask("GET", "/shoal/v1/version").body == R"({"version":")" SHOAL_VERSION R"(","api":1})");
}

TEST_CASE_METHOD(NodeTest, "What a node does not have is 404, also beside a known path",
                 "[cli][node]") {
  for (const auto* path : {"/v1/", "/v2x", "/shoal", "/shoal/v2/", "/metrics/x", "/favicon.ico",
                           "/shoal/v1/transfers/x"}) {
    CAPTURE(path);
    CHECK(ask("GET", path).status == 404);
  }
  CHECK(ask("POST", "/healthz").status == 405);
}

TEST_CASE_METHOD(NodeTest, "A node that stands alone says so, and has no transfers",
                 "[cli][node]") {
  CHECK(ask("GET", "/shoal/v1/cluster/status").body == R"({"alone":true})");
  const auto answer = ask("GET", "/shoal/v1/transfers");
  CHECK(answer.status == 200);
  CHECK(answer.headers.find("Content-Type") == "application/json");
  CHECK_THAT(answer.body, Catch::StartsWith(R"({"now":[],"ended":[],"totals":{"now":0,)"));
  CHECK(ask("POST", "/shoal/v1/transfers").status == 405);
  CHECK_THAT(ask("GET", "/shoal/v1/torrents/x").body, Catch::Contains("this node stands alone"));
}

TEST_CASE_METHOD(NodeTest, "The metrics are in the Prometheus text format", "[cli][node]") {
  push_image("app", "1", "layer");
  const auto answer = ask("GET", "/metrics");
  REQUIRE(answer.status == 200);
  CHECK(answer.headers.find("Content-Type") == "text/plain; version=0.0.4; charset=utf-8");
  static const std::regex kLine(
      R"re((# (HELP|TYPE) [a-z_]+ .+|)re"
      R"re([a-z_]+(\{[a-z_]+="[^"]*"(,[a-z_]+="[^"]*")*\})? [-+.\deE]+|))re");
  std::istringstream lines(answer.body);
  for (std::string line; std::getline(lines, line);) {
    CAPTURE(line);
    CHECK(std::regex_match(line, kLine));
  }
  CHECK_THAT(answer.body, Contains("\nshoal_store_blobs 3\n"));
  CHECK_THAT(answer.body, Contains("\nprocess_resident_memory_bytes "));
}

TEST_CASE_METHOD(NodeTest, "What was pushed is there after a restart", "[cli][node]") {
  const Digest digest = push_image("app", "1", "layer");
  node->stop(std::chrono::seconds(30));
  node.reset();
  start();
  const auto answer = ask("GET", "/v2/app/manifests/1");
  CHECK(answer.status == 200);
  CHECK(Digest::of(answer.body) == digest);
}

TEST_CASE_METHOD(NodeTest, "A second node on the same store is refused, and says why",
                 "[cli][node]") {
  const auto second = Node::start(config);
  REQUIRE_FALSE(second);
  CHECK(second.error().code == Errc::unavailable);
  CHECK_THAT(second.error().message, Contains(config.store.directory.string()));
}

TEST_CASE_METHOD(NodeTest, "A port in use is named, and the store is free again", "[cli][node]") {
  NodeConfig other = config;
  other.store.directory = folder.path() / "other";
  other.http.listen = node->addresses();
  for (int attempt = 0; attempt < 2; ++attempt) {
    const auto second = Node::start(other);
    REQUIRE_FALSE(second);
    CHECK(second.error().code == Errc::unavailable);
    CHECK_THAT(second.error().message, Contains(node->addresses().front()));
  }
}

TEST_CASE_METHOD(NodeTest, "A node that stops ends the streams of its events", "[cli][node]") {
  auto client = HttpClient::to(url(), std::chrono::seconds(30));
  bool stopped = false;
  const auto take = [&](std::string_view) {
    // The greeting has come: the stream waits for events that never happen.
    if (!stopped) node->stop(std::chrono::seconds(30));
    stopped = true;
    return true;
  };
  CHECK(client->stream_lines("GET", "/shoal/v1/events", take).value() == 200);
  CHECK(stopped);
}

TEST_CASE_METHOD(NodeTest, "A subscriber gets what is pushed to the node", "[cli][node]") {
  auto client = HttpClient::to(url(), std::chrono::seconds(30));
  std::string tagged;
  const auto take = [&](std::string_view line) {
    if (line.starts_with(":")) push_image("app", "1", "layer");
    if (line == "event: tag") tagged = line;
    return tagged.empty();
  };
  REQUIRE(client->stream_lines("GET", "/shoal/v1/events", take));
  CHECK(tagged == "event: tag");
}

TEST_CASE("The service manager is told through its socket", "[cli]") {
  const TempFolder folder;
  const std::string path = (folder.path() / "notify").string();
  const int receiver = ::socket(AF_UNIX, SOCK_DGRAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  REQUIRE(path.size() < sizeof address.sun_path);
  path.copy(address.sun_path, path.size());
  REQUIRE(::bind(receiver, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);

  notify_service_manager(path, "READY=1");
  char text[32];
  const auto length = ::recv(receiver, text, sizeof text, 0);
  ::close(receiver);
  REQUIRE(length > 0);
  CHECK(std::string(text, static_cast<std::size_t>(length)) == "READY=1");

  // Nobody there, and no name at all: both are silent.
  notify_service_manager(path, "STOPPING=1");
  notify_service_manager("", "STOPPING=1");
  notify_service_manager(std::string(500, 'x'), "STOPPING=1");
}

}  // namespace
}  // namespace shoal

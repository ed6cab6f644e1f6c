// The client of etcd against servers that are not quite etcd.

#include <mutex>

#include <catch2/catch.hpp>

#include "orchestrator/state/etcd_json.h"
#include "orchestrator/state/etcd_state.h"
#include "tests/orchestrator/state/etcd_server.h"
#include "tests/orchestrator/state/watch_log.h"
#include "tests/registry/http/test_server.h"

namespace shoal {
namespace {

/// Gives one answer to everything.
std::unique_ptr<TestServer> parrot(int status, std::string body) {
  return std::make_unique<TestServer>(
      [status, body](Request& request) -> asio::awaitable<Response> {
        const auto content = co_await read_all(request);
        Response response;
        response.status = content ? status : 400;
        response.body = body;
        co_return response;
      });
}

EtcdConfig config_for(const TestServer& server) {
  EtcdConfig config;
  config.endpoints = {"http://" + server.address()};
  config.timeout = std::chrono::seconds(1);
  return config;
}

TEST_CASE("Answers that etcd does not give are errors of every call, and end no watch",
          "[orchestrator][state][etcd][garbage]") {
  const auto [status, body] = GENERATE(table<int, std::string>({
      {200, ""},
      {200, "{"},
      {200, "[]"},
      {200, "{}"},
      {200, R"({"header":{"revision":"0"}})"},
      {200, R"({"header":{"revision":true},"kvs":"x","TTL":[],"ID":{}})"},
      {200, R"({"header":{"revision":"1"},"kvs":[{"key":"YQ==","mod_revision":"1"}],"more":true})"},
      {200, R"({"header":{"revision":"1"},"more":true})"},
      {200, std::string(200'000, '[')},
      {200, "{\"result\":\"" + std::string(5'000'000, 'x') + "\"}"},
      {204, ""},
      {301, "moved"},
      {400, "{"},
      {400, R"({"code":{},"message":[]})"},
      {404, "<html>not here</html>"},
      {418, R"({"code":3,"message":")" + std::string(100'000, 'x') + "\"}"},
      {500, std::string(1000, '\0')},
      {503, R"({"error":"no"})"},
  }));
  CAPTURE(status, body.substr(0, 100));
  const auto server = parrot(status, body);
  auto config = config_for(*server);
  const auto state = *EtcdState::to(config);
  WatchLog log;
  auto watch = state->watch("", log.sink());

  const auto expected = [](const auto& result) {
    REQUIRE_FALSE(result);
    CHECK(result.error().message.size() < 2000);
    const auto code = result.error().code;
    CHECK((code == Errc::io || code == Errc::unavailable || code == Errc::outcome_unknown));
  };
  expected(state->get("k"));
  expected(state->list("", "", 1000));
  expected(state->commit({{}, {{"k", "v", 0}}}));
  expected(state->grant(std::chrono::seconds(10)));
  expected(state->keep(7));
  watch.reset();
  CHECK(log.relists == 0);
}

TEST_CASE("An answer to another question than was asked is an error",
          "[orchestrator][state][etcd][garbage]") {
  const auto server =
      parrot(200, R"({"header":{"revision":"5"},"kvs":[{"key":")" + base64("shoal/v1/b") +
                      R"(","mod_revision":"4","value":"dg=="}],"count":"1"})");
  const auto state = *EtcdState::to(config_for(*server));
  CHECK((*state->get("b"))->value == "v");
  CHECK(state->get("a").error().code == Errc::io);
}

/// Lists as told, and streams one line set per watch.
class ScriptedEtcd {
 public:
  explicit ScriptedEtcd(std::string list) : list_(std::move(list)) {}

  void next_stream(std::string lines) {
    const std::lock_guard lock(mutex_);
    streams_.push_back(std::move(lines));
  }
  [[nodiscard]] EtcdConfig config() const {
    auto config = config_for(server_);
    config.prefix = "";
    return config;
  }
  /// Of the watches that were asked for.
  [[nodiscard]] std::vector<std::string> requests() {
    const std::lock_guard lock(mutex_);
    return requests_;
  }

  static std::string event(const std::string& key, Revision revision, bool erased = false) {
    return std::string(erased ? R"({"type":"DELETE",)" : "{") + R"("kv":{"key":")" + base64(key) +
           R"(","create_revision":"1","mod_revision":")" + std::to_string(revision) +
           R"(","value":")" + base64(std::to_string(revision)) + "\"}}";
  }
  static std::string line(const std::string& fields) {
    return R"({"result":{"header":{"revision":"99"},)" + fields + "}}\n";
  }

 private:
  asio::awaitable<Response> serve(Request& request) {
    const auto content = co_await read_all(request);
    Response response;
    const std::lock_guard lock(mutex_);
    if (request.path != "/v3/watch") {
      response.body = list_;
      co_return response;
    }
    requests_.push_back(content.value_or(""));
    std::string lines;
    if (!streams_.empty()) {
      lines = std::move(streams_.front());
      streams_.erase(streams_.begin());
    }
    response.body = line(R"("created":true)") + lines;
    co_return response;
  }

  std::mutex mutex_;
  const std::string list_;
  std::vector<std::string> streams_;
  std::vector<std::string> requests_;
  TestServer server_{[this](Request& request) { return serve(request); }};
};

TEST_CASE("Events that come twice, late or out of order are told once and in order",
          "[orchestrator][state][etcd][garbage]") {
  using Etcd = ScriptedEtcd;
  ScriptedEtcd etcd(R"({"header":{"revision":"10"},"kvs":[{"key":")" + base64("a") +
                    R"(","create_revision":"1","mod_revision":"9","value":"OQ=="}]})");
  const auto events = [](const std::string& list) {
    return Etcd::line("\"events\":[" + list + "]");
  };
  etcd.next_stream(
      events(Etcd::event("b", 11)) + events(Etcd::event("b", 11)) + events(Etcd::event("a", 9)) +
      events(Etcd::event("d", 13) + "," + Etcd::event("c", 12) + "," + Etcd::event("d", 13)));
  etcd.next_stream(events(Etcd::event("d", 13)) + events(Etcd::event("a", 14, true)));
  const auto state = *EtcdState::to(etcd.config());
  WatchLog log;
  auto watch = state->watch("", log.sink());
  log.wait_until("erasure", [&] { return log.entries.count("a") == 0 && log.relists > 0; });
  EtcdCluster::wait_until("three streams", [&] { return etcd.requests().size() >= 3; });
  watch.reset();
  CHECK(log.entries == std::map<std::string, std::string>{{"b", "11"}, {"c", "12"}, {"d", "13"}});
  CHECK(log.changes == 4);
  CHECK(log.relists == 1);
  CHECK_FALSE(log.went_back);
  const auto requests = etcd.requests();
  CHECK_THAT(requests[0], Catch::Contains(R"("start_revision":"11")"));
  CHECK_THAT(requests[1], Catch::Contains(R"("start_revision":"14")"));
  CHECK_THAT(requests[2], Catch::Contains(R"("start_revision":"15")"));
}

TEST_CASE("A line of a stream that cannot be read leads to a list",
          "[orchestrator][state][etcd][garbage]") {
  const std::string bad = GENERATE("{\n", "[]\n", "{\"result\":{\"events\":[7]}}\n",
                                   "{\"result\":{\"canceled\":true}}\n");
  ScriptedEtcd etcd(R"({"header":{"revision":"10"}})");
  etcd.next_stream(bad);
  const auto state = *EtcdState::to(etcd.config());
  WatchLog log;
  const auto watch = state->watch("", log.sink());
  log.wait_for_relists(2);
}

}  // namespace
}  // namespace shoal

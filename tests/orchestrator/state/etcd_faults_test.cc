// The client of etcd against real servers to which bad things happen.

#include <atomic>
#include <fstream>

#include <fmt/format.h>
#include <catch2/catch.hpp>

#include "orchestrator/state/etcd_json.h"
#include "orchestrator/state/etcd_state.h"
#include "orchestrator/state/state_url.h"
#include "tests/orchestrator/state/etcd_server.h"
#include "tests/orchestrator/state/tcp_proxy.h"
#include "tests/orchestrator/state/watch_log.h"
#include "tests/registry/http/test_certificates.h"

namespace shoal {
namespace {

using std::chrono::seconds;

std::unique_ptr<EtcdState> open(const EtcdConfig& config) {
  auto state = EtcdState::to(config);
  REQUIRE(state);
  return std::move(*state);
}

Transaction put(const std::string& key, const std::string& value) {
  return {{}, {{key, value, 0}}};
}

template <class T>
std::optional<Errc> error_of(const Result<T>& result) {
  if (result) return std::nullopt;
  return result.error().code;
}

/// Adds one to a counter by compare-and-set, for as long as it is not told to stop.
class Counting {
 public:
  explicit Counting(State& state) : state_(state), thread_([this] { run(); }) {}
  ~Counting() { stop(); }
  void stop() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
  }

  std::atomic<int> done{0};
  std::atomic<int> unknown{0};
  std::atomic<int> strange{0};

 private:
  void run() {
    while (!stop_) {
      const auto entry = state_.get("counter");
      if (!entry || !*entry) {
        if (!entry && entry.error().code != Errc::unavailable) ++strange;
        continue;
      }
      const auto next = std::to_string(std::stoi((*entry)->value) + 1);
      const auto revision =
          state_.commit({{Condition::unchanged(**entry)}, {{"counter", next, 0}}});
      if (revision) {
        ++done;
      } else if (revision.error().code == Errc::outcome_unknown) {
        ++unknown;
      } else if (revision.error().code != Errc::conflict &&
                 revision.error().code != Errc::unavailable) {
        ++strange;
      }
    }
  }

  State& state_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

TEST_CASE("Leaders of three are killed under load, and nothing is lost or counted twice",
          "[orchestrator][state][etcd][faults]") {
  EtcdCluster cluster(EtcdOptions{3});
  const auto state = open(cluster.config());
  REQUIRE(state->commit(put("counter", "0")));
  WatchLog log;
  auto watch = state->watch("", log.sink());
  log.wait_for_value("counter", "0");

  std::vector<std::unique_ptr<EtcdState>> clients;
  std::vector<std::unique_ptr<Counting>> counting;
  for (int i = 0; i < 4; ++i) {
    clients.push_back(open(cluster.config()));
    counting.push_back(std::make_unique<Counting>(*clients.back()));
  }
  const auto total = [&](const auto member) {
    int sum = 0;
    for (const auto& one : counting) sum += (*one).*member;
    return sum;
  };
  for (int kills = 0; kills < 2; ++kills) {
    const auto progress = [&, before = total(&Counting::done)] {
      return total(&Counting::done) > before + 50;
    };
    EtcdCluster::wait_until("progress", progress, seconds(120));
    const auto victim = cluster.leader();
    cluster.kill(victim);
    const auto after = [&, before = total(&Counting::done)] {
      return total(&Counting::done) > before + 50;
    };
    EtcdCluster::wait_until("progress without the leader", after, seconds(120));
    cluster.start(victim);
    cluster.wait_ready();
  }
  for (auto& one : counting) one->stop();

  CHECK(total(&Counting::strange) == 0);
  const auto entry = state->get("counter");
  REQUIRE(entry);
  const auto counted = std::stoi((*entry)->value);
  CHECK(counted >= total(&Counting::done));
  CHECK(counted <= total(&Counting::done) + total(&Counting::unknown));
  log.wait_for_value("counter", (*entry)->value);
  watch.reset();
  CHECK_FALSE(log.went_back);
}

TEST_CASE("Without a quorum every call fails as unavailable, and all goes on when it is back",
          "[orchestrator][state][etcd][faults]") {
  EtcdCluster cluster(EtcdOptions{3});
  auto config = cluster.config();
  config.timeout = seconds(3);
  const auto state = open(config);
  REQUIRE(state->commit(put("k", "before")));
  const auto lease = state->grant(seconds(600));
  REQUIRE(lease);
  WatchLog log;
  const auto watch = state->watch("", log.sink());
  log.wait_for_value("k", "before");

  cluster.kill(0);
  cluster.kill(1);
  // A read that asked the one member that is left alone would find the key.
  CHECK(error_of(state->get("k")) == Errc::unavailable);
  CHECK(error_of(state->list("", "", 10)) == Errc::unavailable);
  const auto written = error_of(state->commit(put("k", "lost?")));
  CHECK((written == Errc::unavailable || written == Errc::outcome_unknown));
  CHECK(error_of(state->keep(*lease)) == Errc::unavailable);
  CHECK(error_of(state->grant(seconds(60))) == Errc::unavailable);

  cluster.start(0);
  cluster.start(1);
  cluster.wait_ready();
  EtcdCluster::wait_until(
      "commit", [&] { return state->commit(put("k", "after")).has_value(); }, seconds(90));
  log.wait_for_value("k", "after");
  CHECK(state->keep(*lease));
}

TEST_CASE("History that is compacted under a watch is listed anew",
          "[orchestrator][state][etcd][faults]") {
  EtcdCluster cluster;
  TcpProxy proxy(cluster.port());
  const auto direct = open(cluster.config());
  auto config = cluster.config();
  config.endpoints = {proxy.url()};
  const auto proxied = open(config);
  REQUIRE(direct->commit(put("gone", "1")));
  REQUIRE(direct->commit(put("kept", "1")));
  WatchLog log;
  auto watch = proxied->watch("", log.sink());
  log.wait_for_value("kept", "1");
  REQUIRE(direct->commit(put("kept", "2")));
  log.wait_for_value("kept", "2");

  proxy.freeze(true);
  REQUIRE(direct->commit({{}, {{"gone", std::nullopt, 0}}}));
  const auto last = direct->commit(put("new", "3"));
  REQUIRE(last);
  cluster.post("kv/compaction", fmt::format(R"({{"revision":"{}","physical":true}})", *last));
  proxy.cut_all();
  proxy.freeze(false);

  log.wait_for_relists(2);
  watch.reset();
  CHECK(log.entries == std::map<std::string, std::string>{{"kept", "2"}, {"new", "3"}});
  CHECK_FALSE(log.went_back);
}

TEST_CASE("A stream that breaks is resumed where it was, without a list",
          "[orchestrator][state][etcd][faults]") {
  EtcdCluster cluster;
  TcpProxy proxy(cluster.port());
  const auto direct = open(cluster.config());
  auto config = cluster.config();
  config.endpoints = {proxy.url()};
  const auto proxied = open(config);
  WatchLog log;
  auto watch = proxied->watch("", log.sink());
  log.wait_for_relists(1);
  for (int i = 0; i < 3; ++i) {
    REQUIRE(direct->commit(put("k", "seen" + std::to_string(i))));
    log.wait_for_value("k", "seen" + std::to_string(i));
    proxy.freeze(true);
    REQUIRE(direct->commit(put("unseen" + std::to_string(i), "x")));
    REQUIRE(direct->commit(put("unseen" + std::to_string(i), "y")));
    proxy.cut_all();
    proxy.freeze(false);
    log.wait_for_value("unseen" + std::to_string(i), "y");
  }
  watch.reset();
  CHECK(log.relists == 1);
  CHECK(log.changes == 9);
  CHECK_FALSE(log.went_back);
}

TEST_CASE("A watch whose stream has fallen silent finds out by listing",
          "[orchestrator][state][etcd][faults]") {
  EtcdCluster cluster;
  TcpProxy first(cluster.port()), second(cluster.port());
  const auto direct = open(cluster.config());
  auto config = cluster.config();
  config.endpoints = {first.url(), second.url()};
  config.relist = seconds(2);
  config.timeout = seconds(3);
  const auto proxied = open(config);
  WatchLog log;
  const auto watch = proxied->watch("", log.sink());
  log.wait_for_relists(1);
  REQUIRE(direct->commit(put("k", "1")));
  log.wait_for_value("k", "1");
  // The way in use goes on to exist, and nothing comes through it any more.
  (first.connections() > 0 ? first : second).freeze(true);
  REQUIRE(direct->commit(put("k", "2")));
  log.wait_for_value("k", "2");
}

TEST_CASE("An etcd whose quota is reached says so, reads on, and writes again once it is emptied",
          "[orchestrator][state][etcd][faults]") {
  EtcdCluster cluster(EtcdOptions{1, {"--quota-backend-bytes", "4194304"}});
  const auto state = open(cluster.config());
  REQUIRE(state->commit(put("small", "1")));
  const auto lease = state->grant(seconds(600));
  REQUIRE(lease);
  Result<Revision> last;
  for (int i = 0; i < 20 && last; ++i) {
    last = state->commit(put("large" + std::to_string(i), std::string(500'000, 'x')));
  }
  REQUIRE_FALSE(last);
  CHECK(last.error().code == Errc::unavailable);
  CHECK_THAT(last.error().message, Catch::Contains("is full"));
  CHECK_THAT(last.error().message, Catch::Contains("docs/state.md"));
  CHECK(error_of(state->grant(seconds(60))) == Errc::unavailable);
  CHECK((*state->get("small"))->value == "1");
  CHECK(state->keep(*lease));

  // What docs/state.md says to do, with curl in place of etcdctl.
  const auto erased = cluster.post(
      "kv/deleterange", fmt::format(R"({{"key":"{}","range_end":"{}"}})", base64("shoal/v1/large"),
                                    base64("shoal/v1/largf")));
  cluster.post("kv/compaction", fmt::format(R"({{"revision":"{}","physical":true}})",
                                            EtcdCluster::field(erased, "revision")));
  cluster.post("maintenance/defragment", "{}");
  cluster.post("maintenance/alarm",
               fmt::format(R"({{"action":"DEACTIVATE","alarm":"NOSPACE","memberID":"{}"}})",
                           EtcdCluster::field(erased, "member_id")));
  CHECK(state->commit(put("small", "2")));
}

TEST_CASE("A lease that is not kept ends, and takes its keys along",
          "[orchestrator][state][etcd][faults]") {
  EtcdCluster cluster;
  const auto state = open(cluster.config());
  WatchLog log;
  auto watch = state->watch("live/", log.sink());
  log.wait_for_relists(1);
  const auto lease = state->grant(seconds(2));
  REQUIRE(lease);
  REQUIRE(state->commit({{}, {{"live/a", "1", *lease}}}));
  log.wait_for_value("live/a", "1");
  log.wait_until("end of the lease", [&] { return log.entries.empty(); });
  CHECK(error_of(state->keep(*lease)) == Errc::lease_lost);
  CHECK(error_of(state->commit({{}, {{"live/a", "2", *lease}}})) == Errc::lease_lost);
}

TEST_CASE("A slow network is borne", "[orchestrator][state][etcd][faults]") {
  EtcdCluster cluster;
  TcpProxy proxy(cluster.port());
  auto config = cluster.config();
  config.endpoints = {proxy.url()};
  const auto state = open(config);
  proxy.delay(std::chrono::milliseconds(100));
  WatchLog log;
  const auto watch = state->watch("", log.sink());
  REQUIRE(state->commit(put("k", "1")));
  CHECK((*state->get("k"))->value == "1");
  log.wait_for_value("k", "1");
}

TEST_CASE("A half-open connection ends a call in its time, and the next one is made anew",
          "[orchestrator][state][etcd][faults]") {
  EtcdCluster cluster;
  TcpProxy proxy(cluster.port());
  auto config = cluster.config();
  config.endpoints = {proxy.url()};
  config.timeout = seconds(2);
  const auto state = open(config);
  REQUIRE(state->commit(put("k", "1")));
  proxy.freeze(true);
  CHECK(error_of(state->get("k")) == Errc::unavailable);
  const auto written = error_of(state->commit(put("k", "2")));
  CHECK((written == Errc::unavailable || written == Errc::outcome_unknown));
  proxy.cut_all();
  proxy.freeze(false);
  EtcdCluster::wait_until("answer", [&] { return state->get("k").has_value(); });
  CHECK(state->commit(put("k", "3")));
}

TEST_CASE("Among a dead and a black-holed endpoint the living one is found",
          "[orchestrator][state][etcd][faults]") {
  EtcdCluster cluster;
  std::uint16_t dead = 0;
  {
    const TcpProxy gone(cluster.port());
    dead = gone.port();
  }
  TcpProxy hole(cluster.port());
  hole.freeze(true);
  auto config = cluster.config();
  config.timeout = seconds(6);
  config.endpoints.push_back("http://127.0.0.1:" + std::to_string(dead));
  config.endpoints.push_back(hole.url());
  for (int i = 0; i < 6; ++i) {  // Each client has its own order.
    const auto state = open(config);
    const auto value = std::to_string(i);
    REQUIRE(state->commit(put("k", value)));
    CHECK((*state->get("k"))->value == value);
    WatchLog log;
    const auto watch = state->watch("", log.sink());
    log.wait_for_value("k", value);
  }
}

TEST_CASE("An etcd that nobody can reach is unavailable, and the message names it",
          "[orchestrator][state][etcd][faults]") {
  EtcdConfig config;
  {
    EtcdCluster cluster;
    config = cluster.config();
  }
  config.timeout = seconds(1);
  const auto state = open(config);
  const auto entry = state->get("k");
  CHECK(error_of(entry) == Errc::unavailable);
  CHECK_THAT(entry.error().message, Catch::StartsWith("etcd " + config.endpoints.front() + ": "));
  // Nothing was sent, so nothing is unknown.
  CHECK(error_of(state->commit(put("k", "v"))) == Errc::unavailable);
  WatchLog log;
  const auto watch = state->watch("", log.sink());
}

/// An etcd with authentication: `root` and `node`, who may do all below `shoal/v1/`.
void enable_authentication(EtcdCluster& cluster) {
  const auto root = R"({"name":"root","password":"rootpw"})";
  cluster.post("auth/user/add", root);
  cluster.post("auth/role/add", R"({"name":"root"})");
  cluster.post("auth/user/grant", R"({"user":"root","role":"root"})");
  cluster.post("auth/user/add", R"({"name":"node","password":"s3cret"})");
  cluster.post("auth/role/add", R"({"name":"shoal"})");
  cluster.post("auth/role/grant",
               fmt::format(R"({{"name":"shoal","perm":{{"permType":"READWRITE","key":"{}",)"
                           R"("range_end":"{}"}}}})",
                           base64("shoal/v1/"), base64("shoal/v10")));
  cluster.post("auth/user/grant", R"({"user":"node","role":"shoal"})");
  REQUIRE(cluster.post("auth/enable", "{}").find("error") == std::string::npos);
}

TEST_CASE("With authentication a user with its password is served, and nobody else",
          "[orchestrator][state][etcd][faults]") {
  EtcdCluster cluster;
  enable_authentication(cluster);
  auto config = cluster.config();
  config.timeout = seconds(5);
  const auto nobody = open(config);
  const auto refusal = nobody->get("k");
  CHECK(error_of(refusal) == Errc::denied);
  CHECK_THAT(refusal.error().message, Catch::Contains("asks for a user"));
  CHECK(error_of(nobody->commit(put("k", "v"))) == Errc::denied);

  config.user = "node";
  config.password = "wr0ng";
  const auto wrong = open(config)->get("k");
  CHECK(error_of(wrong) == Errc::denied);
  CHECK_THAT(wrong.error().message, !Catch::Contains("wr0ng"));

  config.password = "s3cret";
  const auto node = open(config);
  WatchLog log;
  const auto watch = node->watch("", log.sink());
  REQUIRE(node->commit(put("k", "v")));
  CHECK((*node->get("k"))->value == "v");
  log.wait_for_value("k", "v");

  config.prefix = "other/";
  CHECK(error_of(open(config)->get("k")) == Errc::denied);
}

TEST_CASE("A token that the server has forgotten is replaced without anybody noticing",
          "[orchestrator][state][etcd][faults]") {
  EtcdCluster cluster;
  enable_authentication(cluster);
  auto config = cluster.config();
  config.user = "node";
  config.password = "s3cret";
  const auto node = open(config);
  WatchLog log;
  const auto watch = node->watch("", log.sink());
  REQUIRE(node->commit(put("k", "0")));
  log.wait_for_value("k", "0");
  for (int i = 1; i <= 2; ++i) {
    cluster.kill(0);  // Tokens live in its memory.
    cluster.start(0);
    cluster.wait_ready();
    const auto value = std::to_string(i);
    EtcdCluster::wait_until("connection", [&] { return node->get("k").has_value(); });
    CHECK(node->commit(put("k", value)));
    log.wait_for_value("k", value);
  }
}

TEST_CASE("A user for an etcd without authentication is refused with what to do",
          "[orchestrator][state][etcd][faults]") {
  EtcdCluster cluster;
  auto config = cluster.config();
  config.user = "node";
  config.password = "s3cret";
  const auto entry = open(config)->get("k");
  CHECK(error_of(entry) == Errc::denied);
  CHECK_THAT(entry.error().message, Catch::Contains("authentication is not enabled"));
}

TEST_CASE("Over TLS both ends show a certificate of one authority",
          "[orchestrator][state][etcd][faults]") {
  TempFolder folder;
  const auto write = [&](const std::string& name, const std::string& text) {
    std::ofstream(folder.path() / name) << text;
    return folder.path() / name;
  };
  const TestAuthority authority, foreign("foreign authority");
  const auto server = authority.issue("etcd", "DNS:localhost,IP:127.0.0.1");
  const auto client = authority.issue("client");
  const auto stranger = foreign.issue("stranger");
  EtcdOptions options;
  options.ca = write("ca.pem", authority.certificate_pem());
  options.certificate = write("server.pem", server.certificate_pem);
  options.key = write("server.key", server.key_pem);
  EtcdCluster cluster(options);

  const auto url = *parse_state_url(fmt::format("etcds://127.0.0.1:{}", cluster.port()));
  StateFiles files;
  files.ca = options.ca;
  files.certificate = write("client.pem", client.certificate_pem);
  files.key = write("client.key", client.key_pem);
  const auto connect = [&] {
    auto config = etcd_config(url, files);
    REQUIRE(config);
    config->timeout = seconds(2);
    return open(*config);
  };
  {
    const auto state = connect();
    WatchLog log;
    const auto watch = state->watch("", log.sink());
    REQUIRE(state->commit(put("k", "v")));
    CHECK((*state->get("k"))->value == "v");
    log.wait_for_value("k", "v");
  }
  files.certificate = write("stranger.pem", stranger.certificate_pem);
  files.key = write("stranger.key", stranger.key_pem);
  CHECK(error_of(connect()->get("k")) == Errc::denied);
  files.certificate.clear();
  files.key.clear();
  CHECK(error_of(connect()->get("k")) == Errc::denied);
  files.ca = write("foreign.pem", foreign.certificate_pem());
  CHECK(error_of(connect()->get("k")) == Errc::denied);
}

}  // namespace
}  // namespace shoal

// The client of etcd against real servers that are well.

#include "orchestrator/state/etcd_state.h"

#include <atomic>
#include <cstdlib>
#include <set>

#include <catch2/catch.hpp>

#include "tests/orchestrator/state/etcd_server.h"
#include "tests/orchestrator/state/tcp_proxy.h"
#include "tests/orchestrator/state/watch_log.h"

namespace shoal {
namespace {

using Fault = TcpProxy::Fault;

EtcdCluster& server() {
  static EtcdCluster cluster;
  return cluster;
}

/// A client of the shared server in a prefix of its own, directly and through a proxy.
struct EtcdStateTest {
  EtcdStateTest() : proxy(server().port()) {
    static int tests = 0;
    prefix = "test" + std::to_string(++tests) + "/";
    direct = client(server().url());
    proxied = client(proxy.url());
  }
  std::unique_ptr<EtcdState> client(const std::string& url, int timeout_s = 10) const {
    auto config = server().config(prefix);
    config.endpoints = {url};
    config.timeout = std::chrono::seconds(timeout_s);
    auto state = EtcdState::to(config);
    REQUIRE(state);
    return std::move(*state);
  }
  static Transaction put(const std::string& key, const std::string& value) {
    return {{}, {{key, value, 0}}};
  }
  Transaction increment() const {
    const auto entry = direct->get("counter");
    REQUIRE(entry);
    if (!*entry) return {{Condition::absent("counter")}, {{"counter", "1", 0}}};
    return {{Condition::unchanged(**entry)},
            {{"counter", std::to_string(std::stoi((*entry)->value) + 1), 0}}};
  }
  std::string value(const std::string& key) const {
    const auto entry = direct->get(key);
    REQUIRE(entry);
    return *entry ? (*entry)->value : "none";
  }

  std::string prefix;
  TcpProxy proxy;
  std::unique_ptr<EtcdState> direct;
  std::unique_ptr<EtcdState> proxied;
};

TEST_CASE_METHOD(EtcdStateTest, "Two prefixes of one etcd do not see each other",
                 "[orchestrator][state][etcd]") {
  auto config = server().config(prefix + "inner/");
  const auto inner = *EtcdState::to(config);
  config.prefix = prefix.substr(0, prefix.size() - 1) + "0";  // Behind all of ours.
  const auto next = *EtcdState::to(config);
  REQUIRE(inner->commit(put("k", "inner")));
  REQUIRE(next->commit(put("k", "next")));
  REQUIRE(direct->commit(put("k", "ours")));
  CHECK(value("k") == "ours");
  CHECK(inner->list("", "", 10)->entries.size() == 1);
  CHECK(next->list("", "", 10)->entries.size() == 1);
}

TEST_CASE_METHOD(EtcdStateTest, "What the client keeps for itself is in no list and no watch",
                 "[orchestrator][state][etcd]") {
  WatchLog log;
  const auto watch = direct->watch("", log.sink());
  log.wait_for_relists(1);
  REQUIRE(direct->commit(put("a", "1")));
  REQUIRE(direct->commit(put("b", "2")));
  log.wait_for_value("b", "2");
  const auto list = direct->list("", "", 10);
  REQUIRE(list);
  CHECK(list->entries.size() == 2);
  log.wait_until("changes", [&] { return log.changes == 2 && log.entries.size() == 2; });
}

TEST_CASE_METHOD(EtcdStateTest, "A list of more than a page is whole and of one revision",
                 "[orchestrator][state][etcd]") {
  std::set<std::string> keys;
  for (int part = 0; part < 13; ++part) {
    Transaction transaction;
    for (int i = 0; i < 100; ++i) {
      const auto key = "many/" + std::to_string(part) + "-" + std::to_string(i);
      transaction.writes.push_back({key, "v", 0});
      keys.insert(key);
    }
    REQUIRE(direct->commit(transaction));
  }
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    while (!stop) (void)proxied->commit(put("many/0-0", "w"));
  });
  const auto all = direct->list("many/", "", 10'000);
  stop = true;
  writer.join();
  REQUIRE(all);
  CHECK_FALSE(all->more);
  CHECK(all->entries.size() == keys.size());
  for (const auto& entry : all->entries) CHECK(entry.modified <= all->revision);

  std::set<std::string> paged;
  std::string after;
  for (bool more = true; more;) {
    const auto page = direct->list("many/", after, 501);
    REQUIRE(page);
    for (const auto& entry : page->entries) CHECK(paged.insert(entry.key).second);
    more = page->more;
    after = page->entries.back().key;
  }
  CHECK(paged == keys);
  const auto behind = direct->list("many/", "many0", 5);
  REQUIRE(behind);
  CHECK(behind->entries.empty());
  CHECK_FALSE(behind->more);
}

TEST_CASE_METHOD(EtcdStateTest, "Values of a mebibyte are written, listed and watched",
                 "[orchestrator][state][etcd]") {
  direct = client(server().url(), 60);  // Sanitizers are slow.
  const std::string large(1'000'000, 'x');
  WatchLog log;
  const auto watch = direct->watch("", log.sink());
  log.wait_for_relists(1);
  for (int i = 0; i < 20; ++i) REQUIRE(direct->commit(put("k" + std::to_string(100 + i), large)));
  const auto list = direct->list("", "", 100);  // More than one answer may hold.
  REQUIRE(list);
  CHECK(list->entries.size() == 20);
  CHECK(list->entries.back().value == large);
  log.wait_for_value("k119", large);
}

TEST_CASE_METHOD(EtcdStateTest, "A transaction whose answer is lost happens once and says so",
                 "[orchestrator][state][etcd]") {
  REQUIRE(proxied->commit(put("warm", "up")));
  for (int i = 1; i <= 3; ++i) {
    const auto transaction = increment();
    proxy.inject(Fault::cut_answer, "/v3/kv/txn");
    const auto revision = proxied->commit(transaction);
    REQUIRE(revision);
    const auto entry = direct->get("counter");
    CHECK((*entry)->value == std::to_string(i));
    CHECK((*entry)->modified == *revision);
  }
  proxy.wait_for_faults(3);
  CHECK(value("counter") == "3");
}

TEST_CASE_METHOD(EtcdStateTest,
                 "A transaction of which nothing is heard again has no known outcome",
                 "[orchestrator][state][etcd]") {
  proxied = client(proxy.url(), 2);
  REQUIRE(proxied->commit(put("warm", "up")));
  proxy.inject(Fault::swallow_answer, "/v3/kv/txn");
  const auto revision = proxied->commit(increment());  // To the only server, for the whole time.
  REQUIRE_FALSE(revision);
  CHECK(revision.error().code == Errc::outcome_unknown);
  CHECK(value("counter") == "1");
  // The receipt of that transaction is used again, once it is known what it holds.
  EtcdCluster::wait_until("answer", [&] { return proxied->get("counter").has_value(); });
  REQUIRE(proxied->commit(increment()));
  CHECK(value("counter") == "2");
}

TEST_CASE_METHOD(EtcdStateTest,
                 "An identical write by somebody else is not taken for the one that was lost",
                 "[orchestrator][state][etcd]") {
  REQUIRE(direct->commit(put("counter", "5")));
  REQUIRE(proxied->commit(put("warm", "up")));
  const auto ours = increment();
  // Both go from 5 to 6; the other one is there first, and our answer gets lost.
  REQUIRE(direct->commit(ours));
  proxy.inject(Fault::cut_answer, "/v3/kv/txn");
  const auto revision = proxied->commit(ours);
  proxy.wait_for_faults(1);
  REQUIRE_FALSE(revision);
  CHECK(revision.error().code == Errc::conflict);
}

TEST_CASE_METHOD(EtcdStateTest, "A request that was held up in the network comes too late",
                 "[orchestrator][state][etcd]") {
  // Two ways to one server: the first swallows the request and delivers it in the end.
  TcpProxy second(server().port());
  auto config = server().config(prefix);
  config.endpoints = {proxy.url(), second.url()};
  config.timeout = std::chrono::seconds(6);  // 2 s for each attempt.
  const auto state = *EtcdState::to(config);
  REQUIRE(state->commit(put("warm", "up")));
  proxy.inject(Fault::hold_request, "/v3/kv/txn");
  second.inject(Fault::hold_request, "/v3/kv/txn");
  // Whichever way is taken holds the first transaction and the look after it; then both are free.
  const Transaction claim{{Condition::absent("claim")}, {{"claim", "mine", 0}}};
  REQUIRE(state->commit(claim));
  REQUIRE(value("claim") == "mine");
  REQUIRE(direct->commit({{}, {{"claim", std::nullopt, 0}}}));
  // Nothing is at the key any more, so the old requests' own conditions hold once again.
  proxy.release();
  second.release();
  proxy.wait_for_released(1);
  second.wait_for_released(1);
  CHECK(value("claim") == "none");
}

TEST_CASE_METHOD(EtcdStateTest, "Transactions of many threads with lost answers count exactly",
                 "[orchestrator][state][etcd]") {
  REQUIRE(direct->commit(put("counter", "0")));
  std::atomic<int> done{0};
  std::atomic<int> strange{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 25;) {
        const auto entry = proxied->get("counter");
        if (!entry) {
          ++strange;
          return;
        }
        const auto next = std::to_string(std::stoi((*entry)->value) + 1);
        const auto revision =
            proxied->commit({{Condition::unchanged(**entry)}, {{"counter", next, 0}}});
        if (revision) {
          ++done;
          ++i;
          if (i % 5 == 0) proxy.inject(Fault::cut_answer, "/v3/kv/txn");
        } else if (revision.error().code != Errc::conflict) {
          ++strange;
          return;
        }
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(strange == 0);
  CHECK(done == 100);
  CHECK(value("counter") == "100");
}

TEST_CASE_METHOD(EtcdStateTest, "A write under a lease that ended fails as such and writes nothing",
                 "[orchestrator][state][etcd]") {
  const auto lease = direct->grant(std::chrono::seconds(60));
  REQUIRE(lease);
  REQUIRE(direct->keep(*lease));
  REQUIRE(direct->commit({{}, {{"live", "here", *lease}}}));
  CHECK((*direct->get("live"))->lease == *lease);
  REQUIRE(direct->revoke(*lease));
  CHECK(value("live") == "none");
  const auto revision = direct->commit({{}, {{"a", "1", 0}, {"live", "here", *lease}}});
  REQUIRE_FALSE(revision);
  CHECK(revision.error().code == Errc::lease_lost);
  CHECK(value("a") == "none");
  CHECK(direct->keep(*lease).error().code == Errc::lease_lost);
  CHECK(direct->revoke(*lease));
  CHECK(direct->commit(put("a", "2")));
}

TEST_CASE_METHOD(EtcdStateTest, "A client whose own lease was taken away goes on writing",
                 "[orchestrator][state][etcd]") {
  REQUIRE(direct->commit(put("a", "1")));
  // All leases of this server but those that other tests still hold: there are none.
  const auto leases = server().post("lease/leases", "{}");
  for (auto at = leases.find("\"ID\":\""); at != std::string::npos;
       at = leases.find("\"ID\":\"", at + 1)) {
    const auto id = EtcdCluster::field(leases.substr(at), "ID");
    server().post("lease/revoke", "{\"ID\":\"" + id + "\"}");
  }
  REQUIRE(direct->commit(put("a", "2")));
  REQUIRE(direct->commit(put("a", "3")));
  CHECK(value("a") == "3");
}

TEST_CASE("A bad endpoint is refused before anything is sent", "[orchestrator][state][etcd]") {
  const std::string url = GENERATE("", "10.0.0.1:2379", "ftp://h:1", "http://h:x", "http://");
  EtcdConfig config;
  config.endpoints = {url};
  const auto state = EtcdState::to(config);
  REQUIRE_FALSE(state);
  CHECK(state.error().code == Errc::usage);
  CHECK(EtcdState::to(EtcdConfig{}).error().code == Errc::usage);
}

TEST_CASE("A state in etcd names its servers", "[orchestrator][state][etcd]") {
  EtcdConfig config;
  config.endpoints = {"http://10.0.0.1:2379", "http://10.0.0.2:2379"};
  CHECK((*EtcdState::to(config))->description() ==
        "etcd http://10.0.0.1:2379,http://10.0.0.2:2379");
}

}  // namespace
}  // namespace shoal

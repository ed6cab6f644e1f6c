#include "orchestrator/state/migrate.h"

#include <atomic>
#include <map>
#include <thread>

#include <catch2/catch.hpp>

#include "orchestrator/state/embedded_state.h"
#include "orchestrator/state/etcd_state.h"
#include "tests/orchestrator/state/etcd_server.h"
#include "tests/storage/fixture.h"

namespace shoal {
namespace {

constexpr const char* kUrl = "etcd://10.0.0.1:2379";

/// Passes calls on to another state, but for what a test puts in between.
class Interposed : public State {
 public:
  explicit Interposed(State& inner) : inner_(inner) {}
  std::function<std::optional<Error>(const Transaction&)> before_commit = [](const auto&) {
    return std::nullopt;
  };

  Result<std::optional<StateEntry>> get(const std::string& key) override { return inner_.get(key); }
  Result<StateList> list(const std::string& prefix, const std::string& after,
                         std::size_t limit) override {
    return inner_.list(prefix, after, limit);
  }
  Result<Revision> commit(const Transaction& transaction) override {
    if (auto error = before_commit(transaction)) return tl::unexpected(*error);
    return inner_.commit(transaction);
  }
  std::unique_ptr<StateWatch> watch(const std::string& prefix, Sink sink) override {
    return inner_.watch(prefix, std::move(sink));
  }
  Result<LeaseId> grant(std::chrono::seconds ttl) override { return inner_.grant(ttl); }
  Result<void> keep(LeaseId lease) override { return inner_.keep(lease); }
  Result<void> revoke(LeaseId lease) override { return inner_.revoke(lease); }
  std::string description() const override { return inner_.description(); }

 private:
  State& inner_;
};

EtcdCluster& server() {
  static EtcdCluster cluster;
  return cluster;
}

struct MigrateTest {
  MigrateTest() {
    static int tests = 0;
    prefix = "migrate" + std::to_string(++tests) + "/";
    embedded = open("first");
    etcd = *EtcdState::to(server().config(prefix));
  }
  std::unique_ptr<EmbeddedState> open(const std::string& name) {
    auto opened = EmbeddedState::open({folder.path() / name, 1000});
    REQUIRE(opened);
    return std::move(*opened);
  }
  static void put(State& state, const std::string& key, const std::string& value) {
    REQUIRE(state.commit({{}, {{key, value, 0}}}));
  }
  static void erase(State& state, const std::string& key) {
    REQUIRE(state.commit({{}, {{key, std::nullopt, 0}}}));
  }
  /// All keys that are not leased, and their values.
  static std::map<std::string, std::string> content(State& state) {
    std::map<std::string, std::string> content;
    const auto list = state.list("", "", 100'000);
    REQUIRE(list);
    for (const auto& entry : list->entries) {
      if (entry.lease == 0) content[entry.key] = entry.value;
    }
    return content;
  }
  Result<MigrateReport> move(State& from, State& to) {
    return migrate(from, to, kUrl, [this](const MigrateProgress& now) { progress = now; });
  }
  void fill(State& state, int keys = 1234) {
    for (int i = 0; i < keys;) {
      Transaction transaction;
      for (int k = 0; k < 100 && i < keys; ++k, ++i) {
        transaction.writes.push_back({"tags/app:" + std::to_string(i), std::to_string(i * i), 0});
      }
      REQUIRE(state.commit(transaction));
    }
    put(state, "cluster", R"({"id":"x"})");
    put(state, std::string("odd\0key\xff", 8), std::string("\0\x01\xff", 3));
    put(state, "empty", "");
  }

  TempFolder folder;
  std::string prefix;
  std::unique_ptr<EmbeddedState> embedded;
  std::unique_ptr<EtcdState> etcd;
  MigrateProgress progress;
};

TEST_CASE_METHOD(MigrateTest, "A state moves from the embedded store to etcd and back",
                 "[orchestrator][state][migrate]") {
  fill(*embedded);
  put(*embedded, "large", std::string(kStateBytesMax - 5, 'x'));
  const auto lease = embedded->grant(std::chrono::seconds(600));
  REQUIRE(embedded->commit({{}, {{"live/a", "1", *lease}}}));
  auto expected = content(*embedded);

  const auto there = move(*embedded, *etcd);
  REQUIRE(there);
  CHECK(there->keys == expected.size());
  CHECK(there->leased == 1);
  CHECK(there->late == 0);
  CHECK_FALSE(there->done_before);
  CHECK(progress.keys == expected.size());
  CHECK(progress.total == expected.size());
  CHECK(content(*etcd) == expected);
  CHECK_FALSE(*etcd->get("live/a"));
  CHECK((*embedded->get(kStateMoved))->value == kUrl);

  const auto second = open("second");
  put(*etcd, "tags/app:new", "1");
  expected["tags/app:new"] = "1";
  const auto back = migrate(*etcd, *second, "embedded", [](const MigrateProgress&) {});
  REQUIRE(back);
  CHECK(content(*second) == expected);
  CHECK((*etcd->get(kStateMoved))->value == "embedded");
}

TEST_CASE_METHOD(MigrateTest, "A second run finds nothing to do",
                 "[orchestrator][state][migrate]") {
  fill(*embedded, 10);
  REQUIRE(move(*embedded, *etcd));
  put(*etcd, "cluster", "changed at the new place");
  erase(*etcd, "empty");
  const auto expected = content(*etcd);
  const auto again = move(*embedded, *etcd);
  REQUIRE(again);
  CHECK(again->done_before);
  CHECK(content(*etcd) == expected);
}

TEST_CASE_METHOD(MigrateTest, "A target with keys of its own is refused and not touched",
                 "[orchestrator][state][migrate]") {
  fill(*embedded, 10);
  put(*etcd, "tags/other:1", "x");
  const auto moved = move(*embedded, *etcd);
  REQUIRE_FALSE(moved);
  CHECK(moved.error().code == Errc::conflict);
  CHECK_THAT(moved.error().message, Catch::Contains("tags/other:1"));
  CHECK(content(*etcd).size() == 1);
  CHECK_FALSE(*embedded->get(kStateMoved));
}

TEST_CASE_METHOD(MigrateTest, "A state that was moved elsewhere is not moved again",
                 "[orchestrator][state][migrate]") {
  fill(*embedded, 10);
  put(*embedded, kStateMoved, "etcd://10.9.9.9:2379");
  const auto moved = move(*embedded, *etcd);
  REQUIRE_FALSE(moved);
  CHECK(moved.error().code == Errc::conflict);
  CHECK_THAT(moved.error().message, Catch::Contains("etcd://10.9.9.9:2379"));
  CHECK(content(*etcd).empty());
}

TEST_CASE_METHOD(MigrateTest, "A copy that broke off anywhere is finished by the next run",
                 "[orchestrator][state][migrate]") {
  fill(*embedded, 350);
  auto expected = content(*embedded);
  Interposed from(*embedded), to(*etcd);
  int commits = 0;
  int fail_at = 0;
  const auto breaking = [&](const Transaction&) -> std::optional<Error> {
    if (++commits < fail_at) return std::nullopt;
    return Error{Errc::unavailable, "broken off"};
  };
  from.before_commit = to.before_commit = breaking;
  bool done = false;
  while (!done) {
    commits = 0;
    ++fail_at;  // One commit more for each run.
    const auto key = "between/" + std::to_string(fail_at);
    if (!*embedded->get(kStateMoved)) {  // The cluster lives on.
      put(*embedded, key, "x");
      expected[key] = "x";
      const auto old = "between/" + std::to_string(fail_at - 2);
      if (expected.erase(old) > 0) erase(*embedded, old);
    }
    const auto moved = move(from, to);
    done = moved.has_value();
    if (!done) CHECK(moved.error().message == "broken off");
    REQUIRE(fail_at < 50);
  }
  CHECK(fail_at > 2);
  CHECK(content(*etcd) == expected);
  CHECK((*embedded->get(kStateMoved))->value == kUrl);
}

TEST_CASE_METHOD(MigrateTest, "An interrupted copy of another state is refused",
                 "[orchestrator][state][migrate]") {
  fill(*embedded, 10);
  put(*etcd, kStateMigrating, "0 etcd http://10.9.9.9:2379");
  const auto moved = move(*embedded, *etcd);
  REQUIRE_FALSE(moved);
  CHECK_THAT(moved.error().message, Catch::Contains("10.9.9.9"));
}

TEST_CASE_METHOD(MigrateTest, "What members write while they are told of the move is not lost",
                 "[orchestrator][state][migrate]") {
  fill(*embedded, 10);
  auto expected = content(*embedded);
  Interposed from(*embedded);
  from.before_commit = [&](const Transaction&) -> std::optional<Error> {
    // Between the last look and the mark, three members that know of nothing:
    put(*embedded, "tags/app:late", "1");
    put(*embedded, "tags/app:1", "late");
    put(*embedded, "tags/app:3", "too late");
    erase(*embedded, "tags/app:2");
    // And one that is at the new place already.
    put(*etcd, "tags/app:3", "new");
    put(*etcd, "tags/app:there", "new");
    erase(*etcd, "tags/app:4");
    return std::nullopt;
  };
  const auto moved = move(from, *etcd);
  REQUIRE(moved);
  CHECK(moved->late == 3);
  expected["tags/app:late"] = "1";
  expected["tags/app:1"] = "late";
  expected.erase("tags/app:2");
  expected["tags/app:3"] = "new";
  expected["tags/app:there"] = "new";
  expected.erase("tags/app:4");
  CHECK(content(*etcd) == expected);
}

TEST_CASE_METHOD(MigrateTest, "A state that is written to all the time moves whole",
                 "[orchestrator][state][migrate]") {
  fill(*embedded, 500);
  std::atomic<bool> stop{false};
  std::atomic<int> written{0};
  std::thread member([&] {
    // Goes to the new place as soon as it sees the mark, as members do.
    for (int i = 0; !stop; ++i) {
      const auto moved = embedded->get(kStateMoved);
      State& place = moved && *moved ? static_cast<State&>(*etcd) : *embedded;
      const Transaction transaction{{}, {{"member/" + std::to_string(i), "x", 0}}};
      if (place.commit(transaction)) written = i + 1;
      std::this_thread::sleep_for(std::chrono::milliseconds(2));  // A push takes its time.
    }
  });
  const auto moved = move(*embedded, *etcd);
  EtcdCluster::wait_until("writes at the new place",
                          [&, before = written.load()] { return written > before + 5; });
  stop = true;
  member.join();
  REQUIRE(moved);
  const auto there = content(*etcd);
  for (int i = 0; i < written; ++i) {
    CAPTURE(i);
    CHECK(there.count("member/" + std::to_string(i)) == 1);
  }
}

}  // namespace
}  // namespace shoal

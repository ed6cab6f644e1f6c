#include "orchestrator/state/embedded_state.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <random>
#include <thread>

#include <fmt/format.h>
#include <catch2/catch.hpp>

#include "tests/orchestrator/state/conformance_rules.h"
#include "tests/storage/fixture.h"

namespace shoal {
namespace {

/// An embedded state in a folder of its own, that can be closed and opened again.
class EmbeddedFixture : public StateFixture {
 public:
  explicit EmbeddedFixture(std::uint64_t history = 10'000) : config_{folder_.path(), history} {
    open();
  }
  State& state() override { return *state_; }
  EmbeddedState& embedded() { return *state_; }
  const EmbeddedConfig& config() const { return config_; }

  void open() {
    auto opened = EmbeddedState::open(config_);
    if (!opened) INFO(opened.error().message);
    REQUIRE(opened);
    state_ = std::move(*opened);
  }
  void close() { state_.reset(); }

 private:
  TempFolder folder_;
  EmbeddedConfig config_;
  std::unique_ptr<EmbeddedState> state_;
};

TEST_CASE("The embedded state keeps the contract of a state", "[orchestrator][state][embedded]") {
  run_conformance([] { return std::make_unique<EmbeddedFixture>(); });
}

TEST_CASE_METHOD(EmbeddedFixture, "An embedded state that is opened again has lost nothing",
                 "[orchestrator][state][embedded]") {
  commit(state(), {put("a", "1"), put("b", "2")});
  commit(state(), {put("a", "3"), erase("b")});
  const auto lease = state().grant(std::chrono::seconds(60));
  REQUIRE(lease);
  const auto last = commit(state(), {put("c", "4", *lease)});
  const auto list = state().list("", "", 10);
  const auto id = embedded().id();

  close();
  open();
  CHECK(embedded().revision() == last);
  CHECK(embedded().id() == id);
  const auto again = state().list("", "", 10);
  REQUIRE(again);
  CHECK(again->entries == list->entries);
  CHECK(again->revision == list->revision);
  CHECK(state().keep(*lease));
  CHECK(commit(state(), {put("d", "5")}) == last + 1);

  // The history too: every revision can still be read.
  RangeOptions past;
  past.at = 2;
  const auto range = embedded().range(KeyRange::prefix(""), past);
  REQUIRE(range);
  REQUIRE(range->entries.size() == 2);
  CHECK(range->entries[0].entry == StateEntry{"a", "1", 2, 2, 0});
  CHECK(range->entries[1].entry == StateEntry{"b", "2", 2, 2, 0});
}

TEST_CASE_METHOD(EmbeddedFixture, "A lease begins its time anew with the process, and ends then",
                 "[orchestrator][state][embedded]") {
  const auto kept = state().grant(std::chrono::seconds(60));
  const auto left = state().grant(std::chrono::seconds(1));
  const auto revoked = state().grant(std::chrono::seconds(60));
  REQUIRE((kept && left && revoked));
  commit(state(), {put("kept", "1", *kept), put("left", "2", *left)});
  REQUIRE(state().revoke(*revoked));
  close();
  open();
  {
    Watched watched(state(), "");
    watched.expect({{"kept", "1"}});
  }
  CHECK(state().keep(*kept));
  CHECK(state().keep(*left).error().code == Errc::lease_lost);
  CHECK(state().keep(*revoked).error().code == Errc::lease_lost);
  REQUIRE(state().revoke(*kept));
  close();
  open();
  CHECK(state().keep(*kept).error().code == Errc::lease_lost);
  CHECK(state().list("", "", 1)->entries.empty());
}

TEST_CASE_METHOD(EmbeddedFixture, "What cannot be a lease is refused",
                 "[orchestrator][state][embedded]") {
  CHECK(state().grant(std::chrono::seconds(0)).error().code == Errc::bad_request);
  CHECK(state().grant(std::chrono::hours(24 * 400)).error().code == Errc::bad_request);
  CHECK(embedded().grant_as(7, std::chrono::seconds(60)));
  CHECK(embedded().grant_as(7, std::chrono::seconds(60)).error().code == Errc::conflict);
}

TEST_CASE("The history keeps the bound it was given, however often it is opened",
          "[orchestrator][state][embedded]") {
  EmbeddedFixture fixture(20);
  const auto count = [&](Revision at) {
    RangeOptions options;
    options.at = at;
    const auto range = fixture.embedded().range(KeyRange::prefix(""), options);
    return range ? static_cast<int>(range->entries.size()) : -1;
  };
  Revision last = 0;
  // More than is erased on disk at once.
  for (int i = 0; i < 1500; ++i) last = commit(fixture.state(), {put(fmt::format("{:04}", i), "")});
  for (int opened = 0; opened < 2; ++opened) {
    CHECK(fixture.embedded().compacted() == last - 20);
    CHECK(count(last) == 1500);
    CHECK(count(last - 20) == 1480);
    CHECK(count(last - 21) == -1);
    CHECK(count(1) == -1);
    CHECK(count(last + 1) == -1);
    fixture.close();
    fixture.open();
  }
  const auto wake = [] {};
  CHECK(fixture.embedded().follow(KeyRange::prefix(""), last - 21, wake)->next().error().code ==
        Errc::events_compacted);
  const auto batch = fixture.embedded().follow(KeyRange::prefix(""), last - 20, wake)->next();
  REQUIRE(batch);
  CHECK(batch->changes.size() == 20);
  CHECK(batch->revision == last);
}

TEST_CASE("A watch whose sink sleeps through the history lists again",
          "[orchestrator][state][embedded]") {
  EmbeddedFixture fixture(100);
  std::mutex mutex;
  std::condition_variable opened;
  bool open = false;
  Watched watched(fixture.state(), "", [&](const StateEvent&) {
    std::unique_lock lock(mutex);
    opened.wait_for(lock, kPatience, [&] { return open; });
  });
  watched.expect({});  // It is heard of, and holds the sink.
  std::map<std::string, std::string> entries;
  for (int i = 0; i < 1000; ++i) {
    const auto key = std::to_string(i % 7);
    commit(fixture.state(), {put(key, std::to_string(i))});
    entries[key] = std::to_string(i);
  }
  {
    const std::lock_guard lock(mutex);
    open = true;
    opened.notify_all();
  }
  watched.expect(entries);
  CHECK(watched.relists() == 2);
  commit(fixture.state(), {put("later", "x")});
  entries.emplace("later", "x");
  watched.expect(entries);
  CHECK(watched.relists() == 2);
}

TEST_CASE_METHOD(EmbeddedFixture, "A follower that fell behind reads on in the history",
                 "[orchestrator][state][embedded]") {
  std::atomic<int> wakes = 0;
  const auto follower = embedded().follow(KeyRange::prefix("a/"), 1, [&] { ++wakes; });
  const auto nothing = follower->next();
  REQUIRE(nothing);
  CHECK(nothing->changes.empty());

  // Values that together do not fit into its queue, among others that are nothing to it.
  const std::string value(100'000, 'x');
  for (int i = 0; i < 100; ++i) {
    commit(state(), {put(fmt::format("a/{:03}", i), value), put(fmt::format("b/{:03}", i), value)});
  }
  CHECK(wakes == 1);
  std::vector<std::string> keys;
  Revision last = 1;
  for (;;) {
    const auto batch = follower->next();
    REQUIRE(batch);
    if (batch->changes.empty()) {
      CHECK(batch->revision == embedded().revision());
      break;
    }
    for (std::size_t i = 0; i < batch->changes.size(); ++i) {
      keys.push_back(batch->changes[i]->key);
      CHECK(batch->revisions[i] == ++last);
    }
  }
  REQUIRE(keys.size() == 100);
  for (int i = 0; i < 100; ++i) {
    CHECK(keys[static_cast<std::size_t>(i)] == fmt::format("a/{:03}", i));
  }
  commit(state(), {put("a/last", "")});
  CHECK(wakes == 2);
}

/// Every revision that can be read shows what a model of the state was then.
TEST_CASE_METHOD(EmbeddedFixture, "A range at a revision is what it was then, in pages of any size",
                 "[orchestrator][state][embedded]") {
  std::mt19937_64 random(3);
  std::map<std::string, std::string> model;
  std::map<Revision, std::map<std::string, std::string>> models;
  for (int i = 0; i < 200; ++i) {
    std::vector<StateWrite> writes;
    for (std::uint64_t k = 0; k < 30; k += 1 + random() % 12) {
      const auto key = fmt::format("{:02}", k);
      if (random() % 3 == 0 && model.count(key) > 0) {
        writes.push_back(erase(key));
        model.erase(key);
      } else {
        writes.push_back(put(key, std::to_string(random())));
        model[key] = *writes.back().value;
      }
    }
    models[commit(state(), writes)] = model;
  }
  for (const auto& [revision, expected] : models) {
    std::map<std::string, std::string> found;
    RangeOptions options;
    options.at = revision;
    options.limit = 1 + random() % 40;
    KeyRange range = KeyRange::prefix("");
    for (bool more = true; more;) {
      const auto page = embedded().range(range, options);
      REQUIRE(page);
      REQUIRE(page->entries.size() <= options.limit);
      for (const auto& entry : page->entries) {
        CHECK(found.emplace(entry.entry.key, entry.entry.value).second);
        range.first = entry.entry.key + '\0';
      }
      more = page->more;
    }
    CHECK(found == expected);
    options.limit = 0;
    options.count_only = true;
    CHECK(embedded().range(KeyRange::prefix(""), options)->count == expected.size());
  }
}

TEST_CASE_METHOD(EmbeddedFixture, "A transaction that its decision refuses writes nothing",
                 "[orchestrator][state][embedded]") {
  const auto before = commit(state(), {put("a", "1")});
  const auto refused =
      embedded().transact([](const EmbeddedStore::View&) -> Result<std::vector<StateWrite>> {
        return fail(Errc::denied, "no");
      });
  CHECK(refused.error().code == Errc::denied);
  CHECK(
      embedded().transact([](const EmbeddedStore::View& newest) -> Result<std::vector<StateWrite>> {
        const auto entry = newest.get("a");
        if (!entry) return tl::unexpected(entry.error());
        return std::vector<StateWrite>{put("b", fmt::format("{}+", (*entry)->entry.value))};
      }) == before + 1);
  CHECK(state().get("b")->value().value == "1+");
}

#ifndef __SANITIZE_THREAD__  // To fork beside threads is beyond the thread sanitizer.

TEST_CASE_METHOD(EmbeddedFixture, "A second process is told that the state is in use",
                 "[orchestrator][state][embedded]") {
  const auto here = EmbeddedState::open(config());
  REQUIRE_FALSE(here);
  CHECK(here.error().code == Errc::unavailable);

  const pid_t child = ::fork();
  if (child == 0) {
    const auto there = EmbeddedState::open(config());
    ::_exit(!there && there.error().code == Errc::unavailable ? 7 : 1);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 7);
}

constexpr int kWriters = 8;

struct Acknowledged {
  std::uint64_t writer;
  std::uint64_t number;
  std::uint64_t revision;
};

/// Eight threads commit pairs of keys and report each commit that the state has acknowledged.
[[noreturn]] void commit_until_killed(const EmbeddedConfig& config, int report,
                                      std::uint64_t first) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  auto state = EmbeddedState::open(config);
  if (!state) ::_exit(1);
  std::vector<std::thread> threads;
  for (std::uint64_t writer = 0; writer < kWriters; ++writer) {
    threads.emplace_back([&, writer] {
      for (std::uint64_t number = first;; ++number) {
        const auto value = std::to_string(number);
        const auto done = (*state)->commit(
            {{},
             {put(fmt::format("a/{}", writer), value), put(fmt::format("b/{}", writer), value)}});
        if (!done) ::_exit(2);
        const Acknowledged entry{writer, number, *done};
        if (::write(report, &entry, sizeof(entry)) != sizeof(entry)) ::_exit(3);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  ::_exit(4);
}

TEST_CASE_METHOD(EmbeddedFixture, "A kill at any moment loses no commit that was acknowledged",
                 "[orchestrator][state][embedded]") {
  close();
  std::mt19937_64 random(7);
  std::map<std::uint64_t, std::uint64_t> newest;  // By writer.
  Revision revision = 0;
  std::uint64_t first = 0;
  for (int round = 0; round < 8; ++round) {
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    const pid_t child = ::fork();
    if (child == 0) commit_until_killed(config(), ends[1], first);
    ::close(ends[1]);
    Acknowledged entry;
    const auto note = [&] {
      newest[entry.writer] = entry.number;
      revision = std::max(revision, entry.revision);
      first = std::max(first, entry.number + 1);
    };
    // Kills it somewhere behind the last of these.
    for (auto left = random() % 300; left-- > 0; note()) {
      REQUIRE(::read(ends[0], &entry, sizeof(entry)) == sizeof(entry));
    }
    ::kill(child, SIGKILL);
    int status = 0;
    ::waitpid(child, &status, 0);
    REQUIRE(WIFSIGNALED(status));
    while (::read(ends[0], &entry, sizeof(entry)) == sizeof(entry)) note();
    ::close(ends[0]);

    open();
    CHECK(embedded().revision() >= revision);
    for (const auto& [writer, number] : newest) {
      const auto a = state().get(fmt::format("a/{}", writer));
      const auto b = state().get(fmt::format("b/{}", writer));
      REQUIRE((a && *a && b && *b));
      CHECK((*a)->value == (*b)->value);
      CHECK((*a)->modified == (*b)->modified);
      CHECK(std::stoull((*a)->value) >= number);
    }
    close();
  }
}

#endif

}  // namespace
}  // namespace shoal

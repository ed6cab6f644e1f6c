#include "p2p/directory_table.h"

#include <algorithm>
#include <map>
#include <set>
#include <thread>

#include <catch2/catch.hpp>

namespace shoal {
namespace {

using std::chrono::seconds;
using Names = std::set<std::string>;

Digest blob(int number) { return Digest::of("blob " + std::to_string(number)); }

struct TableTest {
  AnnounceAnswer tell(const std::string& holder, std::vector<Digest> adds,
                      std::vector<Digest> removes = {}, bool complete = false) {
    Announce message;
    message.holder = holder;
    message.boot = boot;
    message.epoch = epoch;
    message.sequence = ++sequence;
    message.complete = complete;
    message.adds = std::move(adds);
    message.removes = std::move(removes);
    return table.apply(message, now);
  }
  Names holders(const Digest& digest) {
    const auto found = table.lookup({digest}).holders;
    REQUIRE(found.size() == 1);
    const Names names(found[0].begin(), found[0].end());
    CHECK(names.size() == found[0].size());
    return names;
  }
  /// The others that fetch it, as `asker` hears when it says that it does.
  Names join(const std::string& asker, const Digest& digest) {
    const auto found = table.lookup({digest}, asker, now).fetchers;
    REQUIRE(found.size() == 1);
    const Names names(found[0].begin(), found[0].end());
    CHECK(names.size() == found[0].size());
    return names;
  }
  void live(std::vector<std::string> ids) {
    next = table.live(Rendezvous(std::move(ids)), "self", 3, now);
  }

  DirectoryTable table{{1000, seconds(60), seconds(60), 100}, 42};
  DirectoryTable::Time now{seconds(1000)};
  std::optional<DirectoryTable::Time> next;
  std::uint64_t boot = 1;
  std::uint64_t epoch = 1;
  std::uint64_t sequence = 0;
};

TEST_CASE_METHOD(TableTest, "Who holds what is known until it is taken back", "[p2p][directory]") {
  tell("a", {blob(1), blob(2)});
  tell("b", {blob(2)});
  CHECK(holders(blob(1)) == Names{"a"});
  CHECK(holders(blob(2)) == Names{"a", "b"});
  CHECK(holders(blob(3)).empty());
  tell("a", {blob(3)}, {blob(2), blob(9)});
  CHECK(holders(blob(2)) == Names{"b"});
  CHECK(holders(blob(3)) == Names{"a"});
  tell("b", {}, {blob(2)});
  CHECK(table.usage().digests == 2);
  CHECK(table.usage().entries == 2);
}

TEST_CASE_METHOD(TableTest, "The same hash under another algorithm is another content",
                 "[p2p][directory]") {
  const auto digest = blob(1);
  const auto hash = digest.hash();
  std::vector<std::uint8_t> twice(hash.begin(), hash.end());
  twice.insert(twice.end(), hash.begin(), hash.end());
  tell("a", {blob(1)});
  CHECK(holders(Digest(Algorithm::sha512, twice)).empty());
}

TEST_CASE_METHOD(TableTest, "Many holders of one digest come and go", "[p2p][directory]") {
  Names all;
  for (int i = 0; i < 40; ++i) {
    all.insert("n" + std::to_string(i));
    sequence = 0;
    tell("n" + std::to_string(i), {blob(1), blob(1)});
    CHECK(holders(blob(1)) == all);
  }
  sequence = 100;
  for (int i = 0; i < 40; i += 3) {
    all.erase("n" + std::to_string(i));
    tell("n" + std::to_string(i), {}, {blob(1)});
    CHECK(holders(blob(1)) == all);
  }
  CHECK(table.usage().entries == all.size());
}

TEST_CASE_METHOD(TableTest, "Of very many holders some are named, and each gets its turn",
                 "[p2p][directory]") {
  for (int i = 0; i < 200; ++i) tell("n" + std::to_string(i), {blob(1)});
  Names seen;
  for (int i = 0; i < 200; ++i) {
    const auto some = holders(blob(1));
    CHECK(some.size() == kLookupHoldersMax);
    seen.insert(some.begin(), some.end());
  }
  CHECK(seen.size() == 200);
}

TEST_CASE_METHOD(TableTest, "A new epoch replaces the one before when it is complete, not earlier",
                 "[p2p][directory]") {
  CHECK(tell("a", {blob(1), blob(2)}).fresh);
  CHECK_FALSE(tell("a", {blob(3)}).fresh);
  ++epoch;
  CHECK(tell("a", {blob(2)}).fresh);
  CHECK(holders(blob(1)) == Names{"a"});  // Perhaps it still has it.
  CHECK(holders(blob(2)) == Names{"a"});
  SECTION("what was not told again is gone then") {
    CHECK_FALSE(tell("a", {blob(4)}, {}, true).fresh);
    CHECK(holders(blob(1)).empty());
    CHECK(holders(blob(2)) == Names{"a"});
    CHECK(holders(blob(3)).empty());
    CHECK(holders(blob(4)) == Names{"a"});
    CHECK(table.usage().entries == 2);
  }
  SECTION("a remove counts for both") {
    tell("a", {}, {blob(1), blob(2)});
    CHECK(holders(blob(1)).empty());
    CHECK(holders(blob(2)).empty());
  }
  SECTION("one that was never completed is followed by another") {
    ++epoch;
    tell("a", {blob(5)}, {}, true);
    CHECK(holders(blob(2)).empty());
    CHECK(holders(blob(5)) == Names{"a"});
    CHECK(table.usage().entries == 1);
  }
}

TEST_CASE_METHOD(TableTest, "A message that comes late changes nothing", "[p2p][directory]") {
  tell("a", {blob(1)});
  sequence = 0;
  tell("a", {blob(2)});
  CHECK(holders(blob(2)).empty());
  epoch = 5;
  tell("a", {blob(3)});
  epoch = 4;
  CHECK_FALSE(tell("a", {blob(4)}, {}, true).fresh);
  CHECK(holders(blob(4)).empty());
  CHECK(holders(blob(3)) == Names{"a"});
}

TEST_CASE_METHOD(TableTest, "A holder that restarts is reported, even with a clock that went back",
                 "[p2p][directory]") {
  std::vector<std::string> restarted;
  table.on_restart([&](const std::string& holder, std::uint64_t its_boot) {
    restarted.push_back(holder + " " + std::to_string(its_boot));
  });
  epoch = 100;
  tell("a", {blob(1)});
  CHECK(restarted.empty());
  boot = 2;
  epoch = 3;
  sequence = 0;
  CHECK(tell("a", {blob(2)}, {}, true).fresh);
  CHECK(restarted == std::vector<std::string>{"a 2"});
  CHECK(holders(blob(1)).empty());
  CHECK(holders(blob(2)) == Names{"a"});
}

TEST_CASE_METHOD(TableTest, "A holder that is away is forgotten after the grace",
                 "[p2p][directory]") {
  live({"a", "b", "self"});
  tell("a", {blob(1)});
  tell("b", {blob(1)});
  live({"a", "self"});
  REQUIRE(next);
  CHECK(*next <= now + seconds(60));
  now += seconds(59);
  live({"a", "self"});
  CHECK(holders(blob(1)) == Names{"a", "b"});
  SECTION("and stays when it comes back before") {
    live({"a", "b", "self"});
    now += seconds(100);
    live({"a", "b", "self"});
    CHECK(holders(blob(1)) == Names{"a", "b"});
  }
  SECTION("and must tell everything again when it comes back later") {
    now += seconds(1);
    live({"a", "self"});
    CHECK(holders(blob(1)) == Names{"a"});
    CHECK(table.usage().holders == 1);
    live({"a", "b", "self"});
    CHECK(tell("b", {blob(2)}).fresh);
    CHECK(holders(blob(1)) == Names{"a"});
  }
}

TEST_CASE_METHOD(TableTest,
                 "Digests that became those of other nodes are forgotten after the grace",
                 "[p2p][directory]") {
  std::vector<std::string> ids = {"self"};
  for (int i = 0; i < 9; ++i) ids.push_back("n" + std::to_string(i));
  std::vector<Digest> all;
  for (int i = 0; i < 900; ++i) all.push_back(blob(i));
  live({"n0", "self"});
  tell("n0", all);
  live(ids);
  const auto settle = [&] {
    do live(ids);
    while (next && *next <= now);
  };
  settle();
  CHECK(table.usage().digests == 900);
  now += seconds(60);
  settle();
  CHECK_FALSE(next);
  const Rendezvous peers(ids);
  std::size_t ours = 0;
  for (const auto& digest : all) {
    const auto top = peers.top(rendezvous_word(digest), 3);
    const bool is_ours = std::any_of(top.begin(), top.end(),
                                     [&](auto index) { return peers.ids()[index] == "self"; });
    ours += is_ours ? 1 : 0;
    CHECK(holders(digest).size() == (is_ours ? 1 : 0));
  }
  CHECK(table.usage().digests == ours);
  CHECK(table.usage().entries == ours);
  SECTION("unless this node is not in the set itself: then nobody knows what is its share") {
    std::erase(ids, "self");
    live(ids);
    now += seconds(100);
    settle();
    CHECK(table.usage().digests == ours);
  }
}

TEST_CASE_METHOD(TableTest, "A full table takes no more, says so, and has room again later",
                 "[p2p][directory]") {
  std::vector<Digest> many;
  for (int i = 0; i < 1010; ++i) many.push_back(blob(i));
  CHECK(tell("a", many).full);
  CHECK(table.usage().entries == 1000);
  CHECK(table.usage().refused == 10);
  CHECK_FALSE(tell("a", {}, {blob(0)}).full);
  CHECK_FALSE(tell("a", {blob(1005)}).full);
  CHECK(holders(blob(1005)) == Names{"a"});
  ++epoch;  // What is told again needs no further room.
  CHECK_FALSE(tell("a", {blob(1), blob(2)}, {}, true).full);
  CHECK(table.usage().entries == 2);
}

TEST_CASE_METHOD(TableTest,
                 "Those that fetch the same digest hear of each other, never of themselves",
                 "[p2p][directory]") {
  CHECK(join("a", blob(1)).empty());
  CHECK(join("a", blob(1)).empty());
  CHECK(join("b", blob(1)) == Names{"a"});
  CHECK(join("c", blob(2)).empty());
  CHECK(join("a", blob(1)) == Names{"b"});
  const auto found = table.lookup({blob(2), blob(1), blob(3)}, "d", now);
  REQUIRE(found.fetchers.size() == 3);
  CHECK(found.fetchers[0] == std::vector<std::string>{"c"});
  CHECK(Names(found.fetchers[1].begin(), found.fetchers[1].end()) == Names{"a", "b"});
  CHECK(found.fetchers[2].empty());
  CHECK(table.usage().fetchers == 6);
  SECTION("who only asks is neither told of them nor remembered") {
    CHECK(table.lookup({blob(1)}).fetchers[0].empty());
    CHECK(table.usage().fetchers == 6);
  }
}

TEST_CASE_METHOD(TableTest, "A fetcher is forgotten a while after it last said so",
                 "[p2p][directory]") {
  join("a", blob(1));
  join("b", blob(1));
  now += seconds(59);
  CHECK(join("a", blob(1)) == Names{"b"});
  now += seconds(1);
  CHECK(join("c", blob(1)) == Names{"a"});
  now += seconds(59);
  CHECK(join("c", blob(1)).empty());
  CHECK(table.usage().fetchers == 1);
  now += seconds(60);
  live({"c", "self"});  // Even if nobody asks any more.
  CHECK(table.usage().fetchers == 0);
}

TEST_CASE_METHOD(TableTest, "Who holds a digest is not named as one that fetches it",
                 "[p2p][directory]") {
  join("a", blob(1));
  join("a", blob(2));
  join("b", blob(1));
  tell("a", {blob(1)});
  CHECK(join("b", blob(1)).empty());
  CHECK(join("b", blob(2)) == Names{"a"});
  CHECK(holders(blob(1)) == Names{"a"});
  SECTION("even when it asks") {
    CHECK(join("a", blob(1)) == Names{"b"});
    CHECK(join("b", blob(1)).empty());
    ++epoch;  // What it told before this one counts still.
    tell("a", {blob(3)});
    CHECK(join("a", blob(1)) == Names{"b"});
    CHECK(join("b", blob(1)).empty());
  }
  SECTION("until it holds it no longer") {
    tell("a", {}, {blob(1)});
    CHECK(join("b", blob(1)).empty());
    join("a", blob(1));
    CHECK(join("b", blob(1)) == Names{"a"});
  }
}

TEST_CASE_METHOD(TableTest, "Of very many fetchers some are named, and each gets its turn",
                 "[p2p][directory]") {
  for (int i = 0; i < 90; ++i) join("n" + std::to_string(i), blob(1));
  Names seen;
  for (int i = 0; i < 200; ++i) {
    const auto some = join("n7", blob(1));
    CHECK(some.size() == kLookupFetchersMax);
    seen.insert(some.begin(), some.end());
  }
  CHECK(seen.size() == 89);
  CHECK_FALSE(seen.contains("n7"));
  for (int i = kLookupFetchersMax + 1; i < 90; ++i) tell("n" + std::to_string(i), {blob(1)});
  CHECK(join("n7", blob(1)).size() == kLookupFetchersMax);
  tell("n0", {blob(1)});
  CHECK(join("n7", blob(1)).size() == kLookupFetchersMax - 1);
}

TEST_CASE_METHOD(TableTest, "Those that ask first are not named to all that come after them",
                 "[p2p][directory]") {
  std::map<std::string, int> named;
  constexpr int kAll = 500;
  for (int i = 0; i < kAll; ++i) {
    const auto others = table.lookup({blob(1)}, "n" + std::to_string(i), now).fetchers[0];
    const auto first = std::min(others.size(), kLookupFetchersFirst);
    for (std::size_t k = 0; k < first; ++k) ++named[others[k]];
  }
  int most = 0;
  for (const auto& [node, times] : named) most = std::max(most, times);
  // Were all that are there equal, the very first would be named some 40 times.
  CHECK(most <= 3 * static_cast<int>(kLookupFetchersFirst));
}

TEST_CASE_METHOD(TableTest, "The oldest fetchers make room for new ones", "[p2p][directory]") {
  for (int i = 0; i < 50; ++i) {
    join("a", blob(i));
    join("b", blob(i));
  }
  join("a", blob(0));  // Now the youngest,
  for (int i = 100; i < 110; ++i) join("c", blob(i));
  CHECK(table.usage().fetchers == 100);
  // and what is asked for last shows it: each question takes the place of a further one.
  CHECK(join("d", blob(0)) == Names{"a"});
  CHECK(join("d", blob(49)) == Names{"a", "b"});
  CHECK(join("d", blob(4)).empty());
  CHECK(join("d", blob(109)) == Names{"c"});
  CHECK(table.usage().fetchers == 100);
}

TEST_CASE("A directory node may be told to remember no fetchers", "[p2p][directory]") {
  DirectoryTableConfig config;
  config.fetchers_max = 0;
  DirectoryTable table(config, 1);
  for (const auto* node : {"a", "b"}) {
    CHECK(table.lookup({blob(1)}, node).fetchers[0].empty());
  }
  CHECK(table.usage().fetchers == 0);
}

TEST_CASE_METHOD(TableTest, "Several threads tell and ask at once", "[p2p][directory]") {
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([this, i] {
      Announce message;
      message.holder = "n" + std::to_string(i);
      for (int round = 0; round < 200; ++round) {
        message.sequence = static_cast<std::uint64_t>(round + 1);
        message.adds = {blob(round)};
        message.removes = {blob(round - 50)};
        static_cast<void>(table.apply(message, now));
        static_cast<void>(table.lookup({blob(round), blob(round - 1)}));
        static_cast<void>(table.lookup({blob(round), blob(round + 1)}, message.holder, now));
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(table.usage().entries == 200);
  CHECK(table.usage().digests == 50);
  CHECK(table.usage().fetchers == 4);
  CHECK(holders(blob(199)).size() == 4);
  CHECK(join("other", blob(200)).size() == 4);
}

}  // namespace
}  // namespace shoal

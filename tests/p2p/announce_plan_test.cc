#include "p2p/announce_plan.h"

#include <algorithm>
#include <functional>

#include <catch2/catch.hpp>

#include "p2p/directory_table.h"

namespace shoal {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Time = AnnouncePlan::Time;

Digest blob(int number) { return Digest::of("blob " + std::to_string(number)); }

/// One announcer, a store that is a set of digests, and a real table for each directory node. The
/// test moves the time.
struct PlanTest {
  struct Node {
    explicit Node(std::uint64_t boot) : table({1'000'000, seconds(60)}, boot) {}
    DirectoryTable table;
    bool away = false;
    std::vector<Announce> heard;
  };

  explicit PlanTest(AnnounceConfig its_config = {}) : config(its_config) {}

  void members(int count) {
    ids.clear();
    for (int i = 0; i < count; ++i) ids.push_back("n" + std::to_string(i));
    set_members();
  }
  void set_members() {
    for (const auto& id : ids) {
      if (!nodes.contains(id)) nodes.emplace(id, std::make_unique<Node>(++boots));
    }
    plan.members(ids, now);
  }
  void hold(int from, int to) {
    for (int i = from; i < to; ++i) held.insert({blob(i).key(), blob(i)});
  }
  void push(int number) {
    hold(number, number + 1);
    plan.changed(blob(number), true, now);
  }
  void drop(int number) {
    held.erase(blob(number).key());
    plan.changed(blob(number), false, now);
  }

  Page<Digest> page(const AnnouncePlan::Wanted& wanted) {
    Page<Digest> result;
    auto entry = wanted.after ? held.upper_bound(wanted.after->key()) : held.begin();
    for (; entry != held.end(); ++entry) {
      if (result.entries.size() == wanted.limit) {
        result.more = true;
        break;
      }
      result.entries.push_back(entry->second);
    }
    return result;
  }
  void list() {
    while (const auto wanted = plan.wanted()) plan.listed(page(*wanted), now);
  }
  void send(const AnnouncePlan::Message& message) {
    ++messages;
    digests += message.announce.adds.size() + message.announce.removes.size();
    auto& node = *nodes.at(message.peer);
    if (node.away) return plan.failed(message, now);
    node.heard.push_back(message.announce);
    plan.delivered(message, node.table.apply(message.announce, now), now);
  }
  /// Lets so much time pass.
  void run(Time::duration duration) {
    for (const auto end = now + duration;;) {
      list();
      while (const auto message = plan.take(now)) {
        send(*message);
        list();
      }
      const auto next = plan.next();
      if (!next || *next > end) {
        now = end;
        return;
      }
      REQUIRE(*next > now);
      now = *next;
    }
  }
  /// Whether exactly the directory nodes of each held digest know it, and nobody knows another.
  /// Nodes that are not directory nodes any more may know it still.
  bool all_know() {
    const Rendezvous rendezvous(ids);
    for (const auto& [key, digest] : held) {
      for (const auto index : rendezvous.top(rendezvous_word(digest), kDirectories)) {
        const auto& node = nodes.at(rendezvous.ids()[index]);
        if (node->table.lookup({digest}).holders[0] != std::vector<std::string>{"n0"}) return false;
      }
    }
    return true;
  }
  bool somebody_knows(int number) {
    return std::any_of(nodes.begin(), nodes.end(), [number](const auto& entry) {
      return !entry.second->table.lookup({blob(number)}).holders[0].empty();
    });
  }
  void forget_counts() { messages = digests = 0; }

  AnnounceConfig config;
  AnnouncePlan plan{config, "n0", 77, 1000};
  Time now{seconds(100)};
  std::vector<std::string> ids;
  std::map<std::string, std::unique_ptr<Node>> nodes;
  std::map<std::string, Digest> held;
  std::uint64_t boots = 0;
  std::size_t messages = 0;
  std::size_t digests = 0;
};

TEST_CASE_METHOD(PlanTest, "At the start everything is told, to each directory node in one message",
                 "[p2p][announcer]") {
  hold(0, 5000);
  members(10);
  CHECK_FALSE(plan.settled());
  run(seconds(5));
  CHECK(plan.settled());
  CHECK(all_know());
  CHECK(messages == 10);
  CHECK(digests == 15'000);
  for (const auto& [id, node] : nodes) CHECK(node->heard.back().complete);
}

TEST_CASE_METHOD(PlanTest, "A node without content says so too", "[p2p][announcer]") {
  members(3);
  run(seconds(5));
  CHECK(messages == 3);
  CHECK(nodes.at("n1")->heard.back().complete);
}

TEST_CASE_METHOD(PlanTest,
                 "A change is told to the three directory nodes, and the last word counts",
                 "[p2p][announcer]") {
  members(10);
  run(seconds(5));
  forget_counts();
  push(1);
  push(2);
  drop(2);
  run(seconds(2));
  CHECK(all_know());
  CHECK_FALSE(somebody_knows(2));
  CHECK(digests == 6);
  CHECK(messages <= 6);
  drop(1);
  run(seconds(2));
  CHECK_FALSE(somebody_knows(1));
  CHECK(plan.settled());
}

TEST_CASE("A large store is told in bounded messages, one a second for each node",
          "[p2p][announcer]") {
  AnnounceConfig config;
  config.digests_max = 100;
  config.queue_max = 400;
  config.page = 100;
  PlanTest test(config);
  test.hold(0, 2000);
  test.members(3);
  std::map<std::string, Time> last;
  for (int step = 0; step < 2500; ++step) {
    test.list();
    while (const auto message = test.plan.take(test.now)) {
      CHECK(message->announce.adds.size() <= 100);
      if (last.contains(message->peer)) CHECK(test.now - last[message->peer] >= seconds(1));
      last[message->peer] = test.now;
      test.send(*message);
    }
    CHECK(test.plan.backlog().digests <= 3 * 400);
    test.now += milliseconds(10);
  }
  CHECK(test.plan.settled());
  CHECK(test.all_know());
  CHECK(test.messages == 60);
}

TEST_CASE("Messages to many nodes are spread over time", "[p2p][announcer]") {
  AnnounceConfig config;
  config.messages_per_second = 10;
  PlanTest test(config);
  test.hold(0, 1000);
  test.members(40);
  test.run(milliseconds(999));
  CHECK(test.messages <= 20);
  test.run(seconds(1));
  CHECK(test.messages <= 30);
  test.run(seconds(4));
  CHECK(test.messages == 40);
  CHECK(test.all_know());
}

TEST_CASE_METHOD(PlanTest, "When a node leaves, its digests alone are told to those that follow it",
                 "[p2p][announcer]") {
  hold(0, 4000);
  members(20);
  run(seconds(10));
  forget_counts();
  ids.erase(std::find(ids.begin(), ids.end(), "n7"));
  set_members();
  run(seconds(10));
  CHECK(all_know());
  CHECK(digests > 400);  // 3 of 20: 600 of 4000.
  CHECK(digests < 800);
  CHECK(messages <= 19);
}

TEST_CASE_METHOD(PlanTest, "When a node joins, it alone is told, and what is its share",
                 "[p2p][announcer]") {
  hold(0, 4000);
  members(20);
  run(seconds(10));
  forget_counts();
  ids.push_back("n99");
  set_members();
  run(seconds(10));
  CHECK(all_know());
  CHECK(messages == 1);
  CHECK(digests > 400);
  CHECK(digests < 750);
  CHECK(nodes.at("n99")->heard.back().complete);
}

TEST_CASE_METHOD(PlanTest, "Members that change during a pass are not forgotten",
                 "[p2p][announcer]") {
  hold(0, 5000);
  members(6);
  for (int change = 0; change < 6; ++change) {
    const auto wanted = plan.wanted();  // One page of five, and then the next change.
    REQUIRE(wanted);
    plan.listed(page(*wanted), now);
    if (change % 2 == 0) {
      ids.push_back("x" + std::to_string(change));
    } else {
      ids.erase(ids.begin() + 1 + change);
    }
    set_members();
  }
  run(seconds(20));
  CHECK(all_know());
  CHECK(plan.settled());
}

TEST_CASE_METHOD(PlanTest, "A directory node that restarted gets its share again",
                 "[p2p][announcer]") {
  hold(0, 1000);
  members(5);
  run(seconds(5));
  forget_counts();
  auto& node = nodes.at("n2");
  node = std::make_unique<Node>(++boots);
  SECTION("when it answers with another boot id") {
    int number = 1000;  // Something that it is told about.
    const Rendezvous rendezvous(ids);
    const auto is_its_own = [&] {
      const auto top = rendezvous.top(rendezvous_word(blob(number)), kDirectories);
      return std::any_of(top.begin(), top.end(),
                         [&](auto index) { return rendezvous.ids()[index] == "n2"; });
    };
    while (!is_its_own()) ++number;
    push(number);
    run(seconds(5));
    CHECK(messages == 4);
  }
  SECTION("when its own announcement says so, once") {
    plan.restarted("n2", boots, now);
    plan.restarted("n2", boots, now);
    run(seconds(5));
    plan.restarted("n2", boots, now);
    run(seconds(5));
    CHECK(messages == 1);
  }
  SECTION("at the latest when nothing was told for a while") {
    run(seconds(80));
    CHECK(messages <= 12);
  }
  CHECK(digests > 400);
  CHECK(digests < 800);
  CHECK(all_know());
}

TEST_CASE_METHOD(PlanTest, "A directory node that forgot this holder alone gets its share again",
                 "[p2p][announcer]") {
  hold(0, 300);
  members(3);
  run(seconds(5));
  auto& table = nodes.at("n1")->table;
  static_cast<void>(table.live(Rendezvous({"n1"}), "n1", 3, now));
  static_cast<void>(table.live(Rendezvous({"n1"}), "n1", 3, now + seconds(100)));
  CHECK_FALSE(all_know());
  run(seconds(80));
  CHECK(all_know());
}

TEST_CASE_METHOD(PlanTest, "What was dropped while a node was away is not known there afterwards",
                 "[p2p][announcer]") {
  hold(0, 300);
  members(4);
  run(seconds(5));
  ids = {"n0", "n1", "n2"};
  set_members();
  for (int i = 0; i < 100; ++i) drop(i);
  run(seconds(5));
  members(4);
  run(seconds(5));
  CHECK(all_know());
  for (int i = 0; i < 100; ++i) CHECK_FALSE(somebody_knows(i));
}

TEST_CASE("A node that is away stops nobody else, and starts over when its queue is full",
          "[p2p][announcer]") {
  AnnounceConfig config;
  config.queue_max = 200;
  config.digests_max = 100;
  config.page = 50;
  PlanTest test(config);
  test.members(4);
  test.nodes.at("n3")->away = true;
  test.hold(0, 2000);
  test.run(seconds(60));
  CHECK(test.plan.settled());
  CHECK(test.plan.backlog().silent == 1);
  CHECK(test.plan.backlog().digests <= 300);
  std::size_t known = 0;
  for (const auto& entry : test.nodes) known += entry.second->table.usage().entries;
  CHECK(known > 4000);  // Three of four nodes: 4,500 of 6,000 pairs.
  for (int i = 0; i < 500; ++i) test.drop(i);
  test.run(seconds(60));

  test.nodes.at("n3")->away = false;
  test.run(seconds(60));
  CHECK(test.plan.backlog().silent == 0);
  CHECK(test.plan.settled());
  CHECK(test.all_know());
  for (int i = 0; i < 500; ++i) CHECK_FALSE(test.somebody_knows(i));
}

TEST_CASE_METHOD(PlanTest, "A node that does not answer is asked less and less often",
                 "[p2p][announcer]") {
  members(2);
  run(seconds(5));
  nodes.at("n1")->away = true;
  push(1);
  run(seconds(1));
  forget_counts();
  run(seconds(30));
  CHECK(messages <= 6);
  run(seconds(300));
  CHECK(messages <= 6 + 10 + 8);  // Every 30 s, and the refresh of this node itself.
  nodes.at("n1")->away = false;
  run(seconds(31));
  CHECK(all_know());
}

TEST_CASE_METHOD(PlanTest, "After changes that were missed everything is told anew",
                 "[p2p][announcer]") {
  hold(0, 500);
  members(5);
  run(seconds(5));
  held.erase(blob(3).key());
  hold(500, 510);
  plan.start_over(now);
  run(seconds(5));
  CHECK(all_know());
  CHECK_FALSE(somebody_knows(3));
}

}  // namespace
}  // namespace shoal

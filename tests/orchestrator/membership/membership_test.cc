#include "orchestrator/membership/membership.h"

#include <atomic>
#include <fstream>
#include <thread>

#include <catch2/catch.hpp>

#include "orchestrator/keys.h"
#include "orchestrator/membership/member_changes.h"
#include "tests/orchestrator/membership/fragile_state.h"
#include "tests/orchestrator/membership/wait_for_peers.h"
#include "tests/orchestrator/trust/cluster.h"

namespace shoal {
namespace {

using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;

const MembershipConfig kPatient{60s, {}};  // No lease ends by itself within a test.
const MembershipConfig kHasty{2s, {}};

void require_live(const Membership& membership) { REQUIRE(membership.wait_until_live(60s)); }

TEST_CASE("A lease of liveness grows with the cluster, so that its beats do not",
          "[orchestrator][membership]") {
  CHECK(lease_ttl(1, 15s) == 15s);
  CHECK(lease_ttl(1000, 15s) == 15s);
  CHECK(lease_ttl(2500, 15s) == 15s);
  CHECK(lease_ttl(2501, 15s) == 16s);
  CHECK(lease_ttl(10'000, 15s) == 60s);
}

TEST_CASE("A node is among its peers even when the state is away", "[orchestrator][membership]") {
  const TestState test;
  FragileState state(*test.state);
  state.away = true;
  state.deaf = true;
  const auto self = new_member();
  Membership membership(state, self, kPatient);
  CHECK(membership.now()->self == self.id);
  REQUIRE(membership.now()->find(self.id) != nullptr);
  CHECK(membership.now()->find(self.id)->urls == self.urls);
}

TEST_CASE("Members see each other come, and one that stops in order go at once",
          "[orchestrator][membership]") {
  const TestState test;
  const auto a = new_member();
  const auto b = new_member();
  Membership first(*test.state, a, kPatient);
  require_live(first);
  Membership second(*test.state, b, kPatient);
  wait_for_peers(first, {a.id, b.id});
  wait_for_peers(second, {a.id, b.id});
  CHECK(first.is_member(b.id));
  second.stop();
  wait_for_peers(first, {a.id});
  CHECK(first.is_member(b.id));  // Not live, and still a member.
  CHECK(first.nodes().size() == 2);
  CHECK_FALSE(first.node(b.id)->live);
}

TEST_CASE("A member that falls silent leaves the live set when its lease ends",
          "[orchestrator][membership]") {
  const TestState test;
  FragileState fragile(*test.state);
  const auto a = new_member();
  const auto b = new_member();
  Membership first(*test.state, a, kHasty);
  Membership second(fragile, b, kHasty);
  wait_for_peers(first, {a.id, b.id});
  fragile.away = true;
  wait_for_peers(first, {a.id});

  // It comes back by itself, under another lease.
  fragile.away = false;
  wait_for_peers(first, {a.id, b.id});
}

TEST_CASE("A lease that was lost is taken anew", "[orchestrator][membership]") {
  const TestState test;
  const auto self = new_member();
  Membership membership(*test.state, self, kHasty);
  require_live(membership);
  const auto before = *test.state->get(state_keys::live(self.id));
  REQUIRE(before);
  REQUIRE(test.state->revoke(before->lease));
  wait_until([&] {
    const auto entry = *test.state->get(state_keys::live(self.id));
    return entry && entry->lease != before->lease;
  });
}

TEST_CASE("A record of liveness that somebody erased is written again",
          "[orchestrator][membership]") {
  const TestState test;
  const auto self = new_member();
  Membership membership(*test.state, self, kPatient);
  require_live(membership);
  const bool liveness = GENERATE(true, false);
  const auto key = liveness ? state_keys::live(self.id) : state_keys::node(self.id);
  REQUIRE(test.state->commit({{}, {{key, std::nullopt, 0}}}));
  wait_until([&] { return test.state->get(key)->has_value(); });
}

TEST_CASE("While the state is away the members that were known stay",
          "[orchestrator][membership]") {
  const TestState test;
  FragileState fragile(*test.state);
  const auto a = new_member();
  const auto b = new_member();
  Membership first(fragile, a, kHasty);
  Membership second(*test.state, b, kHasty);
  wait_for_peers(first, {a.id, b.id});
  fragile.away = true;
  fragile.deaf = true;
  // To the others it is gone; to itself nothing has changed.
  wait_for_peers(second, {b.id});
  CHECK(live_ids(first) == std::set<std::string>{a.id, b.id});
  CHECK(first.is_member(b.id));
  CHECK(first.admit(b.id));
  CHECK(first.admit(*make_node_id()).error().code == Errc::unavailable);
}

TEST_CASE("A node that starts while the state is away knows the members of before",
          "[orchestrator][membership]") {
  const TestState test;
  const MembershipConfig config{60s, test.folder.path() / "node" / "members.json"};
  const auto a = new_member();
  const auto b = new_member();
  const auto gone = new_member();
  FragileState fragile(*test.state);
  {
    Membership other(*test.state, b, kPatient);
    Membership removed(*test.state, gone, kPatient);
    Membership first(fragile, a, config);
    wait_for_peers(first, {a.id, b.id, gone.id});
    REQUIRE(remove_member(*test.state, gone.id));
    wait_for_peers(first, {a.id, b.id});
    fragile.deaf = true;
  }
  fragile.away = true;
  Membership again(fragile, a, config);
  CHECK(live_ids(again) == std::set<std::string>{a.id, b.id});
  CHECK(again.now()->find(b.id)->urls == b.urls);
  CHECK(again.admit(b.id));
  CHECK(again.is_removed(gone.id));
  CHECK(again.admit(gone.id).error().code == Errc::denied);
  CHECK_FALSE(again.wait_until_live(0ms));
}

TEST_CASE("A memory of members that cannot be read is none", "[orchestrator][membership]") {
  const TestState test;
  const MembershipConfig config{60s, test.folder.path() / "members.json"};
  std::ofstream(config.memory) << GENERATE("", "{\"members/nodes/n-a\":7}", "nonsense");
  Membership membership(*test.state, new_member(), config);
  CHECK(membership.wait_until_live(60s));
}

TEST_CASE("A removed node is refused by the others, and stops by itself",
          "[orchestrator][membership]") {
  const TestState test;
  const auto a = new_member();
  const auto b = new_member();
  Membership first(*test.state, a, kPatient);
  Membership second(*test.state, b, kPatient);
  wait_for_peers(first, {a.id, b.id});
  REQUIRE(remove_member(*test.state, b.id));
  wait_for_peers(first, {a.id});
  CHECK(first.is_removed(b.id));
  CHECK_FALSE(first.is_member(b.id));
  CHECK(first.admit(b.id).error().code == Errc::denied);
  CHECK(first.node(b.id).error().code == Errc::member_unknown);

  wait_until([&] { return second.is_self_removed(); });
  wait_for_peers(second, {b.id});
  CHECK_FALSE(second.is_member(a.id));
  CHECK(second.admit(a.id).error().code == Errc::denied);
  CHECK_FALSE(*test.state->get(state_keys::node(b.id)));
  CHECK_FALSE(*test.state->get(state_keys::live(b.id)));
  CHECK(remove_member(*test.state, b.id));
}

TEST_CASE("A removed node does not come back by a restart", "[orchestrator][membership]") {
  const TestState test;
  const auto self = new_member();
  {
    Membership membership(*test.state, self, kPatient);
    require_live(membership);
  }
  REQUIRE(remove_member(*test.state, self.id));
  Membership again(*test.state, self, kPatient);
  wait_until([&] { return again.is_self_removed(); });
  CHECK_FALSE(*test.state->get(state_keys::node(self.id)));
  CHECK_FALSE(*test.state->get(state_keys::live(self.id)));
}

TEST_CASE("A node that joined a moment ago is admitted before the watch tells of it",
          "[orchestrator][membership]") {
  const TestState test;
  FragileState fragile(*test.state);
  Membership membership(fragile, new_member(), kPatient);
  require_live(membership);
  fragile.deaf = true;
  const auto late = new_member();
  REQUIRE(test.state->commit({{}, {{state_keys::node(late.id), to_json(late), 0}}}));
  CHECK_FALSE(membership.is_member(late.id));
  CHECK(membership.admit(late.id));
  CHECK(membership.admit(*make_node_id()).error().code == Errc::denied);
  REQUIRE(remove_member(*test.state, late.id));
  CHECK(membership.admit(late.id).error().code == Errc::denied);
}

TEST_CASE("Labels that were set stay over a restart, under those that the node brings",
          "[orchestrator][membership]") {
  const TestState test;
  auto self = new_member();
  self.labels = {{"dc", "west"}};
  UnixTime joined{};
  {
    Membership membership(*test.state, self, kPatient);
    require_live(membership);
    joined = membership.node(self.id)->member.joined;
    CHECK(joined != UnixTime{});
    const auto labelled =
        label_member(*test.state, self.id, {{"disk", "ssd"}, {"dc", "east"}, {"none", {}}});
    REQUIRE(labelled);
    CHECK(labelled->labels == std::map<std::string, std::string>{{"dc", "east"}, {"disk", "ssd"}});
    wait_until([&] { return membership.now()->find(self.id)->labels.count("disk") > 0; });
  }
  self.version = "0.2.0";
  Membership again(*test.state, self, kPatient);
  require_live(again);
  const auto record = again.node(self.id)->member;
  CHECK(record.version == "0.2.0");
  CHECK(record.joined == joined);
  CHECK(record.labels == std::map<std::string, std::string>{{"dc", "west"}, {"disk", "ssd"}});
}

TEST_CASE("Labels that many set at once all stay", "[orchestrator][membership]") {
  const TestState test;
  const auto self = new_member();
  Membership membership(*test.state, self, kPatient);
  require_live(membership);
  std::atomic<int> failed = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      for (int round = 0; round < 5; ++round) {
        const auto key = std::to_string(i) + "." + std::to_string(round);
        if (!label_member(*test.state, self.id, {{key, "x"}})) ++failed;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(failed == 0);
  const auto entry = *test.state->get(state_keys::node(self.id));
  CHECK(parse_member(entry->value)->labels.size() == 20);
}

TEST_CASE("Draining is a mark on a member", "[orchestrator][membership]") {
  const TestState test;
  const auto self = new_member();
  Membership membership(*test.state, self, kPatient);
  require_live(membership);
  REQUIRE(drain_member(*test.state, self.id, true));
  wait_until([&] { return membership.node(self.id)->drained; });
  REQUIRE(drain_member(*test.state, self.id, false));
  wait_until([&] { return !membership.node(self.id)->drained; });
  CHECK(drain_member(*test.state, "n-nobody", true).error().code == Errc::member_unknown);
  CHECK(label_member(*test.state, "n-nobody", {}).error().code == Errc::member_unknown);
  CHECK(remove_member(*test.state, "n-nobody").error().code == Errc::member_unknown);
}

TEST_CASE("A node that the cluster cannot do without is not removed",
          "[orchestrator][membership]") {
  const TestState test;
  auto self = new_member();
  const bool state = GENERATE(true, false);
  self.holds_state = state;
  self.authority = !state;
  Membership membership(*test.state, self, kPatient);
  require_live(membership);
  CHECK(remove_member(*test.state, self.id).error().code == Errc::conflict);
}

TEST_CASE("What a node says of itself anew is written soon", "[orchestrator][membership]") {
  const TestState test;
  auto self = new_member();
  Membership membership(*test.state, self, kPatient);
  require_live(membership);
  self.urls = {"https://10.9.8.7:5001"};
  membership.describe(self);
  wait_until([&] { return membership.now()->find(self.id)->urls == self.urls; });
}

TEST_CASE("A subscription that is over is not called any more", "[orchestrator][membership]") {
  const TestState test;
  Membership membership(*test.state, new_member(), kPatient);
  require_live(membership);
  std::atomic<int> calls = 0;
  auto subscription = membership.subscribe([&] { ++calls; });
  {
    const Membership other(*test.state, new_member(), kPatient);
    wait_until([&] { return calls > 0; });
  }
  subscription.reset();
  const int before = calls;
  const auto third = new_member();
  const Membership another(*test.state, third, kPatient);
  wait_until([&] { return membership.now()->find(third.id) != nullptr; });
  CHECK(calls == before);
}

}  // namespace
}  // namespace shoal

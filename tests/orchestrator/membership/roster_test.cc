#include "orchestrator/membership/roster.h"

#include <catch2/catch.hpp>

#include "orchestrator/keys.h"
#include "tests/orchestrator/membership/wait_for_peers.h"

namespace shoal {
namespace {

StateEntry entry(const std::string& key, const std::string& value = "{}") {
  return {key, value, 1, 1, 0};
}
StateEntry node(const Member& member) {
  return entry(state_keys::node(member.id), to_json(member));
}
StateEntry live(const Member& member) { return entry(state_keys::live(member.id)); }

StateEvent changed(std::vector<StateChange> changes) { return StateChanged{std::move(changes), 2}; }
StateEvent put(const StateEntry& what) { return changed({{what, false}}); }
StateEvent erased(const StateEntry& what) { return changed({{what, true}}); }

std::size_t others(const Roster& roster) {
  return roster.peers(member_named("n-self"))->peers.size() - 1;
}

TEST_CASE("A live peer is one that is both a member and alive, whichever is told first",
          "[orchestrator][membership]") {
  const auto a = member_named("n-a");
  Roster roster;
  CHECK_FALSE(roster.known());
  CHECK_FALSE(roster.apply(StateRelisted{{}, 1}));
  CHECK(roster.known());
  CHECK_FALSE(roster.apply(put(live(a))));
  CHECK(others(roster) == 0);
  CHECK(roster.apply(put(node(a))));
  CHECK(others(roster) == 1);
  CHECK(roster.apply(erased(live(a))));
  CHECK(others(roster) == 0);
  CHECK(roster.is_member(a.id));
  CHECK(roster.apply(put(live(a))));
  CHECK(roster.apply(erased(node(a))));
  CHECK(others(roster) == 0);
}

TEST_CASE("What says nothing new of the live peers is no change", "[orchestrator][membership]") {
  auto a = member_named("n-a");
  auto asleep = member_named("n-b");
  Roster roster;
  CHECK(roster.apply(StateRelisted{{node(a), live(a)}, 1}));
  CHECK_FALSE(roster.apply(StateRelisted{{node(a), live(a)}, 1}));
  CHECK_FALSE(roster.apply(put(node(a))));
  CHECK_FALSE(roster.apply(put(live(a))));
  CHECK_FALSE(roster.apply(put(node(asleep))));
  CHECK_FALSE(roster.apply(put(entry(state_keys::drain(a.id)))));
  CHECK(roster.is_drained(a.id));
  a.version = "9";
  CHECK_FALSE(roster.apply(put(node(a))));
  CHECK(roster.members().at(a.id).version == "9");
  a.labels["dc"] = "west";
  CHECK(roster.apply(put(node(a))));
  CHECK(roster.apply(StateRelisted{{node(a)}, 2}));
  CHECK_FALSE(roster.is_drained(a.id));
}

TEST_CASE("A removed node is no peer, even while its other records are there",
          "[orchestrator][membership]") {
  const auto a = member_named("n-a");
  Roster roster;
  roster.apply(StateRelisted{{node(a), live(a)}, 1});
  CHECK(roster.apply(put(entry(state_keys::removed(a.id)))));
  CHECK(others(roster) == 0);
  CHECK_FALSE(roster.is_member(a.id));
  CHECK(roster.is_removed(a.id));
}

TEST_CASE("A damaged record leaves the node a member as it was known",
          "[orchestrator][membership]") {
  const auto a = member_named("n-a");
  Roster roster;
  roster.apply(StateRelisted{{node(a), live(a)}, 1});
  CHECK_FALSE(roster.apply(put(entry(state_keys::node(a.id), "damaged"))));
  CHECK(roster.members().at(a.id).urls == a.urls);
  roster.apply(put(entry(state_keys::node("n-b"), "damaged")));
  CHECK(roster.is_member("n-b"));
}

TEST_CASE("A node's own record in the peers is the state's, and its own word without one",
          "[orchestrator][membership]") {
  auto self = member_named("n-self");
  Roster roster;
  CHECK(roster.peers(self)->find("n-self")->urls == self.urls);
  auto stored = self;
  stored.labels["dc"] = "west";
  roster.apply(StateRelisted{
      {node(stored), live(stored), node(member_named("n-a")), live(member_named("n-a"))}, 1});
  const auto peers = roster.peers(self);
  CHECK(peers->peers.size() == 2);
  CHECK(peers->find("n-self")->labels == stored.labels);
  CHECK(peers->find("n-a") != nullptr);
}

}  // namespace
}  // namespace shoal

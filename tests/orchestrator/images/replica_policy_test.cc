#include "orchestrator/images/replica_policy.h"

#include <algorithm>

#include <catch2/catch.hpp>

namespace shoal {
namespace {

Peer peer(const std::string& id, const std::string& dc = "", bool draining = false) {
  Peer made;
  made.id = id;
  if (!dc.empty()) made.labels["dc"] = dc;
  made.draining = draining;
  return made;
}

std::vector<std::string> targets(const std::vector<Peer>& ranked,
                                 const std::set<std::string>& holders, unsigned replicas,
                                 const std::string& spread = "") {
  std::vector<std::string> ids;
  for (const auto& target : replica_targets(ranked, holders, replicas, spread)) {
    ids.push_back(target.id);
  }
  return ids;
}

using Ids = std::vector<std::string>;

TEST_CASE("Copies go to the first of the ranking that have none", "[orchestrator][replicas]") {
  const std::vector<Peer> ranked = {peer("c"), peer("a"), peer("b"), peer("d")};
  CHECK(targets(ranked, {"a"}, 2) == Ids{"c"});
  CHECK(targets(ranked, {"c"}, 3) == Ids{"a", "b"});
  CHECK(targets(ranked, {"a", "b"}, 2).empty());
  CHECK(targets(ranked, {}, 9) == Ids{"c", "a", "b", "d"});
}

TEST_CASE("A holder that does not live does not count", "[orchestrator][replicas]") {
  CHECK(targets({peer("b"), peer("a")}, {"a", "gone"}, 2) == Ids{"b"});
}

TEST_CASE("A draining node neither counts nor gets a copy", "[orchestrator][replicas]") {
  const std::vector<Peer> ranked = {peer("a", "", true), peer("b"), peer("c")};
  CHECK(targets(ranked, {"a"}, 2) == Ids{"b", "c"});
  CHECK(targets(ranked, {"b"}, 2) == Ids{"c"});
}

TEST_CASE("Copies are spread over the values of a label", "[orchestrator][replicas]") {
  const std::vector<Peer> ranked = {peer("a", "west"), peer("b", "west"), peer("c", "east"),
                                    peer("d")};
  CHECK(targets(ranked, {"a"}, 2, "dc") == Ids{"c"});
  CHECK(targets(ranked, {"a"}, 3, "dc") == Ids{"c", "d"});
  CHECK(targets(ranked, {"a", "b"}, 2, "dc") == Ids{"c"});
  CHECK(targets(ranked, {"a", "c"}, 2, "dc").empty());
  CHECK(targets(ranked, {"a"}, 4, "dc") == Ids{"c", "d", "b"});
}

TEST_CASE("Of the holders the first of the ranking keep the content, the others may let it go",
          "[orchestrator][replicas]") {
  const std::vector<Peer> ranked = {peer("c"), peer("a"), peer("b"), peer("d")};
  const std::set<std::string> holders = {"a", "b", "d"};
  CHECK_FALSE(is_expendable(ranked, holders, "a", 2));
  CHECK_FALSE(is_expendable(ranked, holders, "b", 2));
  CHECK(is_expendable(ranked, holders, "d", 2));
  CHECK(is_expendable(ranked, holders, "b", 1));
  CHECK_FALSE(is_expendable(ranked, holders, "a", 1));
  CHECK_FALSE(is_expendable(ranked, {"d"}, "d", 1));
}

TEST_CASE("Never do all holders let content go", "[orchestrator][replicas]") {
  const std::vector<Peer> ranked = {peer("a", "", true), peer("b"), peer("c"), peer("d", "", true),
                                    peer("e")};
  const std::vector<std::string> ids = {"a", "b", "c", "d", "e"};
  for (unsigned replicas = 1; replicas <= 4; ++replicas) {
    for (unsigned mask = 1; mask < 32; ++mask) {
      std::set<std::string> holders;
      for (unsigned i = 0; i < 5; ++i) {
        if ((mask >> i & 1) != 0) holders.insert(ids[i]);
      }
      std::size_t kept = 0;
      for (const auto& id : holders) kept += is_expendable(ranked, holders, id, replicas) ? 0 : 1;
      CAPTURE(replicas, mask);
      CHECK(kept >= std::min<std::size_t>(replicas, holders.size()));
    }
  }
}

TEST_CASE("A draining holder does not stand in for another", "[orchestrator][replicas]") {
  CHECK_FALSE(is_expendable({peer("a", "", true), peer("b")}, {"a", "b"}, "b", 1));
  CHECK(is_expendable({peer("a"), peer("b", "", true)}, {"a", "b"}, "b", 1));
}

TEST_CASE("The first pattern that matches a repository decides", "[orchestrator][replicas]") {
  ReplicaPolicy policy;
  policy.patterns = {{"team/db*", 5}, {"team/*", 3}};
  CHECK(policy.replicas_of(*Repository::parse("team/db/main")) == 5);
  CHECK(policy.replicas_of(*Repository::parse("team/web/a")) == 3);
  CHECK(policy.replicas_of(*Repository::parse("web")) == 2);
  CHECK(policy.replicas_max() == 5);
}

TEST_CASE("A pattern is read, and refused with what it should be", "[orchestrator][replicas]") {
  const auto parsed = parse_replica_pattern("team/*=3");
  REQUIRE(parsed);
  CHECK(parsed->first == "team/*");
  CHECK(parsed->second == 3);
  for (const auto* text : {"", "=3", "team", "team=", "team=0", "team=x", "team=3x", "team=-1"}) {
    CAPTURE(text);
    const auto refused = parse_replica_pattern(text);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Errc::usage);
    CHECK(refused.error().message.find("PATTERN=COUNT") != std::string::npos);
  }
}

}  // namespace
}  // namespace shoal

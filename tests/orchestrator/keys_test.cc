#include "orchestrator/keys.h"

#include <catch2/catch.hpp>

namespace shoal {
namespace {

TEST_CASE("A tag's key gives repository and tag back", "[orchestrator][keys]") {
  const auto repository = *Repository::parse("team/app");
  const auto key = state_keys::tag(repository, "v1.0");
  CHECK(key == "tags/team/app:v1.0");
  const auto parsed = state_keys::parse_tag(key);
  REQUIRE(parsed);
  CHECK(parsed->repository == "team/app");
  CHECK(parsed->tag == "v1.0");
  CHECK_FALSE(state_keys::parse_tag("repos/team/app"));
  CHECK_FALSE(state_keys::parse_tag("tags/team/app"));
}

TEST_CASE("The tags of a repository are no others'", "[orchestrator][keys]") {
  const auto tags = state_keys::tags(*Repository::parse("a"));
  CHECK(state_keys::tag(*Repository::parse("a"), "b").starts_with(tags));
  CHECK_FALSE(state_keys::tag(*Repository::parse("a/b"), "c").starts_with(tags));
  CHECK_FALSE(state_keys::tag(*Repository::parse("ab"), "c").starts_with(tags));
}

}  // namespace
}  // namespace shoal

#include "p2p/peers.h"

#include <catch2/catch.hpp>

namespace shoal {
namespace {

TEST_CASE("A peer is found by its id, and only by all of it", "[p2p][peers]") {
  const PeerSet set{"b", {{"a", {"https://a"}, {}}, {"b", {}, {}}, {"ba", {}, {}}}};
  REQUIRE(set.find("a") != nullptr);
  CHECK(set.find("a")->urls == std::vector<std::string>{"https://a"});
  CHECK(set.find("ba")->id == "ba");
  CHECK(set.find("") == nullptr);
  CHECK(set.find("bb") == nullptr);
  CHECK(set.find("c") == nullptr);
}

}  // namespace
}  // namespace shoal

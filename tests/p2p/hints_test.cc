#include "p2p/hints.h"

#include <catch2/catch.hpp>

namespace shoal {
namespace {

TEST_CASE("A hint names every peer that was said to hold the content", "[p2p][hints]") {
  Hints hints;
  const auto a = Digest::of("a"), b = Digest::of("b");
  CHECK(hints.of(a).empty());
  hints.add({a, b}, "n-1");
  hints.add({a}, "n-2");
  hints.add({a}, "n-2");
  CHECK(hints.of(a) == std::set<std::string>{"n-1", "n-2"});
  CHECK(hints.of(b) == std::set<std::string>{"n-1"});
}

TEST_CASE("Hints take bounded memory, and the newest stay", "[p2p][hints]") {
  Hints hints;
  for (int i = 0; i < 250'000; ++i) hints.add({Digest::of(std::to_string(i))}, "n-1");
  CHECK(hints.of(Digest::of("0")).empty());
  CHECK(hints.of(Digest::of("249999")) == std::set<std::string>{"n-1"});
}

}  // namespace
}  // namespace shoal

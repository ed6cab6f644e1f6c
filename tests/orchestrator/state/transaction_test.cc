#include <catch2/catch.hpp>

#include "orchestrator/state/state.h"

namespace shoal {
namespace {

TEST_CASE("A transaction that no driver takes is refused with its reason",
          "[orchestrator][state]") {
  CHECK(check({{Condition::absent("a")}, {{"a", "1", 0}, {"b", std::nullopt, 0}}}));

  const auto twice = check({{}, {{"a", "1", 0}, {"a", "2", 0}}});
  REQUIRE_FALSE(twice);
  CHECK(twice.error().code == Errc::bad_request);
  CHECK(twice.error().message.find("`a`") != std::string::npos);

  CHECK(check({{}, {{"", "1", 0}}}).error().code == Errc::bad_request);
  CHECK(check({{Condition::absent("")}, {}}).error().code == Errc::bad_request);
  CHECK(check({{}, {{"a", std::string(kStateBytesMax, 'x'), 0}}}).error().code == Errc::too_large);
  Transaction many;
  for (std::size_t i = 0; i <= kStateWritesMax; ++i)
    many.writes.push_back({std::to_string(i), "", 0});
  CHECK(check(many).error().code == Errc::too_large);
}

}  // namespace
}  // namespace shoal

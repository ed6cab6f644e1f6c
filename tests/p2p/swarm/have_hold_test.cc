#include "p2p/swarm/have_hold.h"

#include <string>

#include <catch2/catch.hpp>

namespace shoal {
namespace {

using std::chrono::milliseconds;

constexpr HaveHold::Time kNow{std::chrono::hours(1)};
const std::string kHave("\0\0\0\5\4\0\0\0\7", 9);
const std::string kRequest("\0\0\0\15\6\0\0\0\7\0\0\0\0\0\0\x40\0", 17);

TEST_CASE("Announcements and requests are known by their bytes", "[p2p][swarm][tunnel]") {
  using Talk = HaveHold::Talk;
  CHECK(HaveHold::talk(kHave) == Talk::haves);
  CHECK(HaveHold::talk(kHave + kHave) == Talk::haves);
  CHECK(HaveHold::talk(kHave + kRequest + kHave) == Talk::requests);
  CHECK(HaveHold::talk("") == Talk::other);
  CHECK(HaveHold::talk(kHave.substr(0, 8)) == Talk::other);
  CHECK(HaveHold::talk(kHave + kHave.substr(0, 3)) == Talk::other);
  CHECK(HaveHold::talk(std::string("\0\0\0\1\1", 5)) == Talk::other);
  CHECK(HaveHold::talk(kRequest + "x") == Talk::other);
}

TEST_CASE("They wait for about as long as pieces take, and not where that is no time",
          "[p2p][swarm][tunnel]") {
  HaveHold hold;
  std::uint64_t received = 0;
  auto now = kNow;
  const auto after_a_second_with = [&](std::uint64_t bytes, const std::string& text) {
    now += milliseconds(1000);
    received += bytes;
    return hold.of(text, received, now);
  };
  CHECK(hold.of(kHave, 0, now) == milliseconds(0));  // Nothing is known.
  CHECK(after_a_second_with(8 << 20, kHave) == milliseconds(62));
  CHECK(hold.of(kRequest, received, now) == milliseconds(7));
  CHECK(hold.of("anything else", received, now) == milliseconds(0));
  CHECK(after_a_second_with(1 << 20, kHave) == HaveHold::kMost);
  CHECK(after_a_second_with(2'000'000'000, kHave) == milliseconds(0));
  CHECK(after_a_second_with(0, kHave) == milliseconds(0));
}

}  // namespace
}  // namespace shoal

#include "p2p/swarm/rate_shares.h"

#include <catch2/catch.hpp>

namespace shoal {
namespace {

using Limits = std::vector<std::uint64_t>;

constexpr auto kDemand = SwarmClass::demand;
constexpr auto kPrefetch = SwarmClass::prefetch;
constexpr auto kCopy = SwarmClass::replication;
constexpr std::uint64_t kMB = 1'000'000;

TEST_CASE("One class alone has all that comes", "[p2p][swarm]") {
  const auto its = GENERATE(kDemand, kPrefetch, kCopy);
  CHECK(share_rates({{its, true, 90 * kMB}, {its, true, 10 * kMB}}, 0) == Limits{0, 0});
  CHECK(share_rates({}, 0).empty());
}

TEST_CASE("What is less urgent gets a tenth of what comes while the other moves", "[p2p][swarm]") {
  CHECK(share_rates({{kDemand, true, 90 * kMB}, {kCopy, true, 10 * kMB}}, 0) ==
        Limits{0, 10 * kMB});
  CHECK(share_rates({{kCopy, true, 50 * kMB},
                     {kDemand, true, 40 * kMB},
                     {kCopy, true, 10 * kMB},
                     {kPrefetch, true, 0}},
                    0) == Limits{5 * kMB, 0, 5 * kMB, 10 * kMB});
  CHECK(share_rates({{kPrefetch, true, kMB}, {kCopy, true, 0}}, 0) == Limits{0, 256 << 10});
  // One that stands still holds nobody back.
  CHECK(share_rates({{kDemand, false, 0}, {kCopy, true, 10 * kMB}}, 0) == Limits{0, 0});
}

TEST_CASE("Copies have a limit of their own, all together", "[p2p][swarm]") {
  CHECK(share_rates({{kCopy, true, kMB}, {kCopy, true, kMB}}, 3 * kMB) ==
        Limits{1'500'000, 1'500'000});
  CHECK(share_rates({{kDemand, true, 90 * kMB}, {kCopy, true, 0}}, kMB) == Limits{0, kMB});
  CHECK(share_rates({{kDemand, true, 90 * kMB}, {kCopy, true, 0}}, 50 * kMB) == Limits{0, 9 * kMB});
  CHECK(share_rates({{kCopy, true, 0}, {kCopy, true, 0}}, 1) == Limits{1, 1});
}

TEST_CASE("A limit that is about right stays", "[p2p][swarm]") {
  const auto limit_of = [](std::uint64_t now) {
    return share_rates({{kDemand, true, 100 * kMB}, {kCopy, true, 0, now}}, 0)[1];
  };
  CHECK(limit_of(9 * kMB) == 9 * kMB);
  CHECK(limit_of(12 * kMB) == 12 * kMB);
  CHECK(limit_of(5 * kMB) == 10 * kMB);
  CHECK(limit_of(20 * kMB) == 10 * kMB);
  CHECK(limit_of(0) == 10 * kMB);
  CHECK(share_rates({{kDemand, true, kMB, 5 * kMB}}, 0) == Limits{0});
}

}  // namespace
}  // namespace shoal

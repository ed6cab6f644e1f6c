#include "p2p/swarm/piece_plan.h"

#include <catch2/catch.hpp>

namespace shoal {
namespace {

using Ranks = PiecePlan::Ranks;
using Rank = std::pair<std::uint32_t, std::uint8_t>;

std::vector<bool> none(std::size_t pieces) { return std::vector<bool>(pieces, false); }

SwarmSpread alone(std::size_t pieces) { return {std::vector<int>(pieces, 1), 1, {}}; }

/// Where libtorrent would put it: the lowest first; `have` without seeds.
int weight(int have, int rank) { return (have + 1) * (8 - rank); }

TEST_CASE("A lone reader gets its pieces in order", "[p2p][swarm]") {
  PiecePlan plan("a", 1);
  auto here = none(100);
  const auto ranks = plan.update({10}, here, alone(100));
  REQUIRE(ranks.size() == PiecePlan::kWindow);
  CHECK(ranks[0] == Rank(10, 7));
  for (std::uint32_t i = 1; i < ranks.size(); ++i) CHECK(ranks[i] == Rank(10 + i, 6));
  CHECK(plan.update({10}, here, alone(100)).empty());

  // It moves on: what is behind is as all others again, unless it has come.
  here[10] = true;
  CHECK(plan.update({11}, here, alone(100)) == Ranks{{11, 7}, {42, 6}});
  const auto leapt = plan.update({95}, here, alone(100));
  CHECK(leapt.size() == 32 + 5);
  CHECK(leapt[0] == Rank(11, PiecePlan::kRest));
  CHECK(plan.update({}, here, alone(100)).size() == 5);  // Nobody reads any more.
  CHECK(plan.update({}, std::vector<bool>(100, true), alone(100)).empty());
}

TEST_CASE("Hosts that fetch together ask a seed for different pieces", "[p2p][swarm]") {
  constexpr std::size_t kPieces = 400;
  const std::vector<std::string> hosts = {"a", "b", "c", "d", "e", "f", "g", "h"};
  std::vector<int> owners(kPieces, 0);
  for (const auto& host : hosts) {
    PiecePlan plan(host, 12345);
    SwarmSpread spread{std::vector<int>(kPieces, 2), 2, {}};
    for (const auto& other : hosts) {
      if (other != host) spread.incomplete.push_back(other);
    }
    std::size_t own = 0;
    for (const auto& [piece, rank] : plan.update({0}, none(kPieces), spread)) {
      CHECK(rank == (piece < PiecePlan::kWindow ? 6 : 5));
      ++owners[piece];
      ++own;
    }
    CHECK(own > kPieces / 8 / 2);
    CHECK(own < kPieces / 8 * 2);
  }
  for (const auto count : owners) CHECK(count == 1);
}

TEST_CASE("What others have waits for what only a seed has, and readers come first in both",
          "[p2p][swarm]") {
  PiecePlan plan("a", 7);
  const auto here = none(200);
  SwarmSpread spread{std::vector<int>(200, 1), 1, {"b"}};
  for (std::uint32_t piece = 100; piece < 200; ++piece) spread.availability[piece] = 2;
  const auto ranks = plan.update({0, 110}, here, spread);
  std::map<std::uint32_t, std::uint8_t> of(ranks.begin(), ranks.end());
  const auto rank = [&](std::uint32_t piece) {
    return of.contains(piece) ? of[piece] : PiecePlan::kRest;
  };
  // Rare: own ones in the window, then own ones, then those of others.
  int own_soon = 0, own = 0, foreign = 0;
  for (std::uint32_t piece = 0; piece < 100; ++piece) {
    const auto now = weight(0, rank(piece));
    own_soon += now == 2 ? 1 : 0;
    own += now == 3 ? 1 : 0;
    foreign += now == 4 ? 1 : 0;
    CHECK((now != 2 || piece < PiecePlan::kWindow));
  }
  CHECK(own_soon > 0);
  CHECK(own > 0);
  CHECK(own_soon + own + foreign == 100);
  // Common: what blocks, then the window, then the rest; none of it before what is rare.
  CHECK(weight(1, rank(110)) == 4);
  CHECK(weight(1, rank(111)) == 6);
  CHECK(weight(1, rank(110 + PiecePlan::kWindow)) == 8);
  CHECK(weight(1, rank(105)) == 8);
}

}  // namespace
}  // namespace shoal

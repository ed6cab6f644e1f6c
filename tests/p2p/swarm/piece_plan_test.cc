#include "p2p/swarm/piece_plan.h"

#include <algorithm>
#include <map>
#include <random>

#include <catch2/catch.hpp>

namespace shoal {
namespace {

using Ranks = PiecePlan::Ranks;
using Rank = std::pair<std::uint32_t, std::uint8_t>;
using std::chrono::milliseconds;

constexpr PiecePlan::Time kNow{std::chrono::hours(1)};
constexpr auto kQuarter = PiecePlan::kWindowMin / 4;

std::vector<bool> none(std::size_t pieces) { return std::vector<bool>(pieces, false); }

SwarmSpread one_seed(std::size_t pieces, int incomplete = 0) {
  return {std::vector<int>(pieces, 1), 1, incomplete, {}};
}

/// Where libtorrent would put it: the lowest first; `have` without seeds.
int weight(int have, int rank) { return (have + 1) * (8 - rank); }

/// What libtorrent has been told of each piece.
class Told {
 public:
  explicit Told(std::uint32_t pieces) : ranks_(pieces, PiecePlan::kStart) {}

  void add(const Ranks& changes) {
    for (const auto& [piece, rank] : changes) ranks_.at(piece) = rank;
  }
  [[nodiscard]] int operator[](std::uint32_t piece) const { return ranks_.at(piece); }
  [[nodiscard]] std::size_t count(int rank) const {
    return static_cast<std::size_t>(std::count(ranks_.begin(), ranks_.end(), rank));
  }

 private:
  std::vector<int> ranks_;
};

TEST_CASE("A lone reader gets its pieces in order", "[p2p][swarm]") {
  PiecePlan plan;
  Told told(100);
  auto here = none(100);
  const auto update = [&](std::set<std::uint32_t> blocking) {
    const auto changes = plan.update(blocking, here, one_seed(100), kNow);
    told.add(changes);
    return changes;
  };
  (void)update({10});
  CHECK(told[10] == 7);
  for (std::uint32_t i = 1; i < PiecePlan::kWindowMin; ++i) CHECK(told[10 + i] == 6);
  CHECK(told.count(PiecePlan::kRest) == 100 - PiecePlan::kWindowMin);
  CHECK(update({10}).empty());

  // It moves on: what is behind is as all others again, unless it has come.
  here[10] = true;
  CHECK(update({11}) == Ranks{{11, 7}, {42, 6}});
  const auto leapt = update({95});
  CHECK(leapt.size() == 32 + 5);
  CHECK(leapt[0] == Rank(11, PiecePlan::kRest));
  CHECK(update({}).size() == 5);  // Nobody reads any more.
  here.assign(100, true);
  CHECK(update({}).empty());
}

TEST_CASE("What seeds alone have is left to the host to which they gave it", "[p2p][swarm]") {
  PiecePlan plan;
  Told told(100);
  const auto here = none(100);
  auto spread = one_seed(100, 3);
  told.add(plan.give({4, 9, 100}, 100));  // Before the first beat; what is no piece is left.
  CHECK(told[4] == 7);
  CHECK(told[9] == 7);
  CHECK(told.count(PiecePlan::kStart) == 98);

  spread.given = {9, 12};
  for (std::uint32_t piece = 50; piece < 60; ++piece) spread.availability[piece] = 2;
  told.add(plan.update({}, here, spread, kNow));
  CHECK(told[9] == 7);
  CHECK(told[12] == 7);
  CHECK(told.count(7) == 2);
  CHECK(told.count(PiecePlan::kRest) == 10);
  // A seed is asked for what it gave, then for what nobody has, and last for what others give.
  CHECK(weight(0, told[12]) < weight(0, told[13]));
  CHECK(weight(0, told[13]) < weight(1, told[50]));

  // What is given is told each time: it may have been overtaken.
  CHECK(plan.update({}, here, spread, kNow) == Ranks{{9, 7}, {12, 7}});
}

TEST_CASE("Readers wait so long for a piece of another host, and no longer", "[p2p][swarm]") {
  PiecePlan plan;
  Told told(100);
  const auto here = none(100);
  const auto spread = one_seed(100, 3);
  const auto asks = [&](milliseconds after) {
    told.add(plan.update({0}, here, spread, kNow + after));
    return told.count(7);
  };
  CHECK(asks(milliseconds(0)) == 0);
  CHECK(asks(milliseconds(1000)) == 0);
  CHECK(asks(milliseconds(3000)) == kQuarter);
  told.add(plan.update({}, here, spread, kNow + milliseconds(4000)));
  CHECK(told.count(7) == 0);
}

TEST_CASE("Readers come first in what others have", "[p2p][swarm]") {
  PiecePlan plan;
  Told told(200);
  const auto here = none(200);
  auto spread = one_seed(200, 1);
  for (std::uint32_t piece = 100; piece < 200; ++piece) spread.availability[piece] = 2;
  told.add(plan.update({110}, here, spread, kNow));
  CHECK(weight(1, told[110]) == 2);
  CHECK(weight(1, told[111]) == 2);
  CHECK(weight(1, told[110 + kQuarter]) == 4);
  // What many have, and is wanted soon, before what few have and is not.
  CHECK(weight(4, told[111]) < weight(1, told[199]));
}

TEST_CASE("Whatever happens, each piece that is missing stays wanted", "[p2p][swarm]") {
  std::mt19937 random(GENERATE(range(1u, 9u)));
  const auto between = [&](std::uint32_t least, std::uint32_t most) {
    return std::uniform_int_distribution<std::uint32_t>(least, most)(random);
  };
  const auto pieces = between(1, 300);
  PiecePlan plan;
  Told told(pieces);
  auto here = none(pieces);
  auto now = kNow;
  for (int beat = 0; beat < 200; ++beat, now += milliseconds(between(1, 1000))) {
    SwarmSpread spread;
    spread.seeds = static_cast<int>(between(0, 2));
    spread.incomplete = static_cast<int>(between(0, 3));
    if (between(0, 5) > 0) {
      for (std::uint32_t piece = 0; piece < pieces; ++piece) {
        spread.availability.push_back(spread.seeds + static_cast<int>(between(0, 3)));
      }
    }
    std::set<std::uint32_t> blocking;
    for (auto readers = between(0, 3); readers > 0; --readers) {
      blocking.insert(between(0, pieces - 1));
    }
    for (auto given = between(0, 3); given > 0; --given) {
      spread.given.push_back(between(0, pieces));
    }
    if (between(0, 3) == 0) told.add(plan.give(spread.given, pieces));
    const auto changes = plan.update(blocking, here, spread, now);
    for (const auto& [piece, rank] : changes) {
      REQUIRE_FALSE(here.at(piece));
      REQUIRE(rank >= 1);
      REQUIRE(rank <= 7);
    }
    told.add(changes);
    // Nothing is left as it was for a reader or an owner that is no more.
    for (std::uint32_t piece = 0; piece < pieces; ++piece) {
      if (here[piece] || !blocking.empty() || spread.incomplete == 0) continue;
      const bool given =
          std::find(spread.given.begin(), spread.given.end(), piece) != spread.given.end();
      const bool common =
          piece < spread.availability.size() && spread.availability[piece] > spread.seeds;
      CHECK(told[piece] == (given ? 7 : common ? PiecePlan::kRest : 1));
    }
    here[between(0, pieces - 1)] = true;
  }
}

}  // namespace
}  // namespace shoal

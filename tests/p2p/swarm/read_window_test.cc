#include "p2p/swarm/read_window.h"

#include <catch2/catch.hpp>

namespace shoal {
namespace {

using Ranks = ReadWindow::Ranks;

std::vector<bool> none(std::size_t pieces) { return std::vector<bool>(pieces, false); }

SwarmSpread alone(std::size_t pieces) { return {std::vector<int>(pieces, 1), 0}; }

TEST_CASE("A lone reader gets its pieces in order", "[p2p][swarm]") {
  ReadWindow window;
  auto here = none(100);
  const auto ranks = window.move({10}, here, alone(100));
  REQUIRE(ranks.size() == ReadWindow::kNarrow);
  CHECK(ranks[0] == std::pair(std::uint32_t{10}, ReadWindow::kBlocking));
  for (std::size_t i = 1; i < ranks.size(); ++i) {
    CHECK(ranks[i] == std::pair(static_cast<std::uint32_t>(10 + i), ReadWindow::kSoon));
  }
  CHECK(window.move({10}, here, alone(100)).empty());

  // It moves on: what is behind is as all others again, unless it has come.
  here[10] = true;
  const auto moved = window.move({11}, here, alone(100));
  CHECK(moved == Ranks{{11, ReadWindow::kBlocking}, {26, ReadWindow::kSoon}});
  const auto leapt = window.move({90}, here, alone(100));
  CHECK(leapt.size() == 16 + 10);
  CHECK(leapt[0] == std::pair(std::uint32_t{11}, ReadWindow::kRest));
}

TEST_CASE("Readers of many hosts do not insist on order", "[p2p][swarm]") {
  ReadWindow window;
  const auto here = none(300);
  SwarmSpread spread{std::vector<int>(300, 1), 7};
  const auto ranks = window.move({0}, here, spread);
  REQUIRE(ranks.size() == 100);  // A third of the blob.
  for (const auto& [piece, rank] : ranks) CHECK(rank == ReadWindow::kPreferred);

  // Once others have it, too, what blocks the reader is asked for first.
  spread.availability[0] = 2;
  CHECK(window.move({0}, here, spread) == Ranks{{0, ReadWindow::kSoon}});
  CHECK(window.move({}, here, spread).size() == 100);  // Nobody reads any more.

  ReadWindow small;
  CHECK(small.move({0}, none(20), {std::vector<int>(20, 1), 7}).size() == 20);
  CHECK(small.move({}, std::vector<bool>(20, true), {{}, 0}).empty());
}

TEST_CASE("Several readers share a window, and what has come is not asked for", "[p2p][swarm]") {
  ReadWindow window;
  auto here = none(200);
  here[51] = true;
  const auto ranks = window.move({5, 50, 199}, here, alone(200));
  CHECK(ranks.size() == 16 + 16 + 1);
  for (const auto& [piece, rank] : ranks) {
    CHECK(piece != 51);
    const bool blocks = piece == 5 || piece == 50 || piece == 199;
    CHECK(rank == (blocks ? ReadWindow::kBlocking : ReadWindow::kSoon));
  }
}

}  // namespace
}  // namespace shoal

#include "bench/sim/piece_picker.h"

#include <set>

#include <catch2/catch.hpp>

namespace shoal::sim {
namespace {

constexpr std::uint64_t kUnit = 16 << 10;

/// Four pieces of two units; the last has one, which is short.
const BlobShape kShape{kUnit * 6 + 100, 2 * kUnit, kUnit};

Bits only(std::uint32_t piece) {
  Bits bits(kShape.pieces(), false);
  bits.set(piece);
  return bits;
}

TEST_CASE("A blob is cut into pieces and units, the last ones as long as what is left") {
  CHECK(kShape.pieces() == 4);
  CHECK(kShape.units_per_piece() == 2);
  CHECK(kShape.units(2) == 2);
  CHECK(kShape.units(3) == 1);
  CHECK(kShape.bytes_of(3) == 100);
  CHECK(kShape.bytes_of(0, 1) == kUnit);
  CHECK(kShape.bytes_of(3, 0) == 100);
}

TEST_CASE("The rarest piece is picked, of equals one that was begun, and a rank outweighs both") {
  Random random(1);
  PiecePicker picker(kShape);
  const Bits all(kShape.pieces(), true);
  picker.peer_came(all, true);
  picker.peer_came(only(0), false);
  picker.peer_came(only(1), false);
  picker.peer_came(only(2), false);
  CHECK(picker.availability(0) == 2);
  CHECK(picker.availability(3) == 1);
  CHECK(picker.pick(all, random)->piece == 3);
  const auto first = *picker.pick(all, random);
  CHECK(*picker.pick(all, random) == Unit{first.piece, 1});
  const std::uint32_t other = first.piece == 0 ? 1 : 0;
  picker.rank(other, 7);
  CHECK(picker.pick(all, random)->piece == other);
  CHECK_FALSE(picker.pick(only(3), random));
}

TEST_CASE("All pieces that are equal have their chance") {
  std::set<std::uint32_t> picked;
  for (std::uint64_t seed = 0; seed < 64; ++seed) {
    Random random(seed);
    PiecePicker picker(kShape);
    picked.insert(picker.pick(Bits(kShape.pieces(), true), random)->piece);
  }
  CHECK(picked.size() == kShape.pieces());
}

TEST_CASE("A unit is asked for twice in the end game alone, and counts once") {
  Random random(1);
  PiecePicker picker(kShape);
  const Bits all(kShape.pieces(), true);
  std::vector<Unit> units;
  while (const auto unit = picker.pick(all, random)) {
    CHECK(picker.missing() == kShape.pieces());
    units.push_back(*unit);
    if (units.size() < 6) CHECK_FALSE(picker.pick_busy(all, random));
  }
  CHECK(units.size() == 7);
  const auto busy = *picker.pick_busy(all, random);
  CHECK(picker.asked_twice(busy));
  CHECK(picker.came(busy) != PiecePicker::Came::again);
  CHECK(picker.came(busy) == PiecePicker::Came::again);
}

TEST_CASE("What a peer does not send is free again, and a piece is here when it was found right") {
  Random random(1);
  PiecePicker picker(kShape);
  const auto unit = *picker.pick(only(3), random);
  CHECK_FALSE(picker.has_free(3));
  picker.given_up(unit);
  CHECK(picker.has_free(3));
  CHECK(*picker.pick(only(3), random) == unit);
  CHECK(picker.came(unit) == PiecePicker::Came::piece);
  CHECK_FALSE(picker.here(3));
  picker.verified(3);
  CHECK(picker.here(3));
  CHECK(picker.missing() == 3);
}

}  // namespace
}  // namespace shoal::sim

#include "bench/sim/piece_picker.h"

#include <algorithm>
#include <limits>

namespace shoal::sim {

std::uint64_t BlobShape::bytes_of(std::uint32_t piece) const {
  return std::min(piece_bytes, bytes - piece * piece_bytes);
}

std::uint64_t BlobShape::bytes_of(std::uint32_t piece, std::uint32_t unit) const {
  return std::min(unit_bytes, bytes_of(piece) - unit * unit_bytes);
}

PiecePicker::PiecePicker(const BlobShape& shape)
    : shape_(shape),
      units_per_piece_(shape.units_per_piece()),
      units_(std::size_t{shape.pieces()} * units_per_piece_, 0),
      taken_(shape.pieces(), 0),
      arrived_(shape.pieces(), 0),
      peers_(shape.pieces(), 0),
      ranks_(shape.pieces(), kRank),
      here_(shape.pieces(), false),
      open_(shape.pieces(), true),
      full_(shape.pieces(), false),
      missing_(shape.pieces()) {}

void PiecePicker::peer_came(const Bits& has, bool as_seed) {
  if (as_seed) {
    ++seeds_;
  } else {
    has.for_each([this](std::uint32_t piece) { ++peers_[piece]; });
  }
}

void PiecePicker::peer_went(const Bits& has, bool as_seed) {
  if (as_seed) {
    --seeds_;
  } else {
    has.for_each([this](std::uint32_t piece) { --peers_[piece]; });
  }
}

std::optional<Unit> PiecePicker::pick(const Bits& has, Random& random) {
  constexpr std::uint32_t kRanks = 8;
  auto least = std::numeric_limits<std::uint32_t>::max();
  std::uint32_t best = 0;
  std::uint32_t ties = 0;
  open_.for_each_in(has, [&](std::uint32_t piece) {
    const auto key = 3 * (peers_[piece] + 1U) * (kRanks - ranks_[piece]) - (taken_[piece] > 0);
    if (key > least) return;
    ties = key < least ? 1 : ties + 1;
    if (ties == 1 || random.below(ties) == 0) best = piece;
    least = key;
  });
  if (ties == 0) return std::nullopt;
  Unit unit{best, 0};
  while (state(unit) != 0) ++unit.unit;
  state(unit) = 1;
  if (taken_[best]++ == 0) ++begun_;
  if (taken_[best] == shape_.units(best)) {
    open_.reset(best);
    full_.set(best);
  }
  return unit;
}

std::optional<Unit> PiecePicker::pick_busy(const Bits& has, Random& random) {
  if (begun_ < missing_) return std::nullopt;
  std::vector<Unit> units;
  full_.for_each_in(has, [&](std::uint32_t piece) {
    for (std::uint32_t unit = 0; unit < shape_.units(piece); ++unit) {
      const auto now = units_[index({piece, unit})];
      if (now != kHere && now + 1 < kHere) units.push_back({piece, unit});
    }
  });
  if (units.empty()) return std::nullopt;
  const auto unit = units[random.below(static_cast<std::uint32_t>(units.size()))];
  ++state(unit);
  return unit;
}

void PiecePicker::given_up(Unit unit) {
  auto& now = state(unit);
  if (now == kHere || now == 0 || --now > 0) return;
  const auto piece = unit.piece;
  full_.reset(piece);
  open_.set(piece);
  if (--taken_[piece] == 0) --begun_;
}

bool PiecePicker::asked_twice(Unit unit) const {
  const auto now = units_[index(unit)];
  return now != kHere && now > 1;
}

PiecePicker::Came PiecePicker::came(Unit unit) {
  auto& now = state(unit);
  if (now == kHere) return Came::again;
  now = kHere;
  if (++arrived_[unit.piece] < shape_.units(unit.piece)) return Came::unit;
  full_.reset(unit.piece);
  return Came::piece;
}

void PiecePicker::verified(std::uint32_t piece) {
  here_.set(piece);
  --missing_;
  --begun_;
}

}  // namespace shoal::sim

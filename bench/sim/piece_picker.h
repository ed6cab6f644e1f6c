#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "bench/sim/bits.h"
#include "bench/sim/random.h"
#include "p2p/swarm/piece_plan.h"

namespace shoal::sim {

/// How a blob is cut: into pieces as its torrent has them, and these into units, which are asked
/// for, sent and counted at once: one block of BitTorrent, or a run of some.
struct BlobShape {
  std::uint64_t bytes;
  std::uint64_t piece_bytes;
  std::uint64_t unit_bytes;  // A part of piece_bytes.

  [[nodiscard]] std::uint32_t pieces() const { return parts(bytes, piece_bytes); }
  [[nodiscard]] std::uint32_t units_per_piece() const { return parts(piece_bytes, unit_bytes); }
  /// Of this piece: fewer in the last one.
  [[nodiscard]] std::uint32_t units(std::uint32_t piece) const {
    return parts(bytes_of(piece), unit_bytes);
  }
  [[nodiscard]] std::uint64_t bytes_of(std::uint32_t piece) const;
  [[nodiscard]] std::uint64_t bytes_of(std::uint32_t piece, std::uint32_t unit) const;

 private:
  static std::uint32_t parts(std::uint64_t whole, std::uint64_t part) {
    return static_cast<std::uint32_t>((whole + part - 1) / part);
  }
};

struct Unit {
  std::uint32_t piece = 0;
  std::uint32_t unit = 0;  // Within the piece.

  bool operator==(const Unit&) const = default;
};

/// What one host asks its peers for, as libtorrent 2.0 picks it, rarest first with no preference
/// for whole pieces:
///
/// - lowest first in 3 x (peers that have it, but for those that came as seeds, + 1) x (8 - rank),
///   less one for a piece that was begun: whoever has it may go on with it;
/// - any of those that are equal;
/// - when all pieces that are missing are begun, and a peer is asked for nothing and has nothing
///   that is free: a random unit that others are asked for (strict end game).
class PiecePicker {
 public:
  static constexpr std::uint8_t kRank = PiecePlan::kStart;

  explicit PiecePicker(const BlobShape& shape);

  // What the peers have.
  void peer_has(std::uint32_t piece) { ++peers_[piece]; }
  void peer_came(const Bits& has, bool as_seed);
  void peer_went(const Bits& has, bool as_seed);
  /// Peers that have the piece, seeds included.
  [[nodiscard]] int availability(std::uint32_t piece) const { return peers_[piece] + seeds_; }

  void rank(std::uint32_t piece, std::uint8_t rank) { ranks_[piece] = rank; }

  /// Whether the piece has units that nobody is asked for.
  [[nodiscard]] bool has_free(std::uint32_t piece) const { return open_.test(piece); }
  /// A unit that nobody is asked for yet, of a peer that has these pieces. It counts as asked for
  /// from now on.
  [[nodiscard]] std::optional<Unit> pick(const Bits& has, Random& random);
  /// In the end game, a unit that others are asked for. Likewise.
  [[nodiscard]] std::optional<Unit> pick_busy(const Bits& has, Random& random);

  /// The peer will not send it.
  void given_up(Unit unit);
  enum class Came { again, unit, piece };
  /// `again`: it was here already. `piece`: it was the last of its piece.
  [[nodiscard]] Came came(Unit unit);
  /// Whether another peer than the one that just sent it is asked for it, too; before came().
  [[nodiscard]] bool asked_twice(Unit unit) const;

  /// The piece was found right.
  void verified(std::uint32_t piece);
  [[nodiscard]] bool here(std::uint32_t piece) const { return here_.test(piece); }
  [[nodiscard]] const Bits& here() const { return here_; }
  [[nodiscard]] std::uint32_t missing() const { return missing_; }

 private:
  static constexpr std::uint8_t kHere = 255;  // Below: how many are asked for it.

  [[nodiscard]] std::uint8_t& state(Unit unit) { return units_[index(unit)]; }
  [[nodiscard]] std::size_t index(Unit unit) const {
    return std::size_t{unit.piece} * units_per_piece_ + unit.unit;
  }

  const BlobShape& shape_;
  const std::uint32_t units_per_piece_;
  std::vector<std::uint8_t> units_;
  std::vector<std::uint16_t> taken_;    // By piece: units that are here or asked for,
  std::vector<std::uint16_t> arrived_;  // and that are here.
  std::vector<std::uint16_t> peers_;
  std::vector<std::uint8_t> ranks_;
  Bits here_, open_, full_;  // Full: all asked for, and some not here.
  int seeds_ = 0;
  std::uint32_t missing_, begun_ = 0;
};

}  // namespace shoal::sim

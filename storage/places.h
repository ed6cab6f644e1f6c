#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "storage/error.h"

namespace shoal {

/// Where the parts of a content stand among its stored values (content.h).
///
/// Content that was written from its start to its end needs no more than this default: value n is
/// chunk n. Content that arrived in pieces, in any order, was written in runs: each is one segment,
/// with the pieces that came together, and a value stands behind all values of earlier runs.
class Places {
 public:
  Places() = default;
  /// Of content of `size` bytes in pieces of `piece_bytes`, a power of two; none is placed yet.
  Places(std::uint64_t size, std::uint64_t piece_bytes);

  static constexpr std::uint16_t kNowhere = 0xFFFF;

  void place(std::uint32_t piece, std::uint16_t run) { runs_[piece] = run; }
  [[nodiscard]] bool placed(std::uint32_t piece) const { return runs_[piece] != kNowhere; }
  /// The number of the first run that is not used; 0 if none is.
  [[nodiscard]] std::uint16_t next_run() const;

  /// Bytes of one stored value; only the content's last may be shorter.
  [[nodiscard]] std::uint64_t unit_bytes() const;
  /// The number of the value with the byte at `offset`, whose piece must be placed.
  [[nodiscard]] std::uint64_t value_at(std::uint64_t offset) const;
  /// The first number behind all values of the runs below `run`.
  [[nodiscard]] static std::uint64_t run_start(std::uint16_t run);

  /// The default says the same.
  [[nodiscard]] bool plain() const;

  [[nodiscard]] std::string encode() const;
  /// Empty text is the default. Fails with corrupt.
  [[nodiscard]] static Result<Places> decode(std::string_view bytes);

 private:
  std::uint64_t piece_bytes_ = 0;    // 0: written from its start to its end.
  std::vector<std::uint16_t> runs_;  // By piece.
};

}  // namespace shoal

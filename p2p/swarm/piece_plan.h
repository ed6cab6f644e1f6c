#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <utility>
#include <vector>

namespace shoal {

/// Who has what, among the peers that are connected.
struct SwarmSpread {
  std::vector<int> availability;     // By piece: how many have it.
  int seeds = 0;                     // That have all.
  int incomplete = 0;                // The others.
  std::vector<std::uint32_t> given;  // The pieces that seeds told this node to ask for (HandOut).
};

/// In which order the pieces of one transfer are asked for. libtorrent takes what is lowest in
/// (peers that have it, but for seeds, + 1) x (8 - rank), and any of those that are equal: rarest
/// first. What is left to decide are the ranks.
///
/// - With nobody else fetching, order costs nothing: the piece that blocks a reader first, and then
///   those behind it.
/// - Hosts that fetch the same content together must not choose alike: what several of them ask
///   one seed for is sent several times, and the seed's upload is what all of them wait for. So
///   what seeds alone have is left to the host to which they gave it (HandOut); this one's come
///   first. Where readers wait for long, whoever was given a piece is taken to be slow or gone.
/// - What readers want soon comes before the rest: a wide window, rarest first within. Since each
///   host brings other pieces of it, all of them move on together.
///
/// Measured: docs/benchmarks.md.
///
/// Not thread-safe.
class PiecePlan {
 public:
  using Ranks = std::vector<std::pair<std::uint32_t, std::uint8_t>>;
  using Time = std::chrono::steady_clock::time_point;

  /// What all pieces have at the start: after whatever is given.
  static constexpr std::uint8_t kStart = 1;
  static constexpr std::uint8_t kRest = 4;
  /// Pieces from a reader on that are wanted soon: an eighth of the content, and so many at least.
  static constexpr std::uint32_t kWindowMin = 32;

  /// The ranks that change, now that readers wait for `blocking`, and the pieces that have come are
  /// `here`.
  [[nodiscard]] Ranks update(const std::set<std::uint32_t>& blocking, const std::vector<bool>& here,
                             const SwarmSpread& spread, Time now);

  /// The same for pieces that were given just now, of so many in all: before anything else is asked
  /// for.
  [[nodiscard]] Ranks give(const std::vector<std::uint32_t>& given, std::size_t pieces);

 private:
  enum class Soon : std::uint8_t { no, yes, next };

  [[nodiscard]] static std::vector<Soon> window(const std::set<std::uint32_t>& blocking,
                                                const std::vector<bool>& here);
  static void rank_alone(const std::set<std::uint32_t>& blocking, const std::vector<Soon>& window,
                         std::vector<std::uint8_t>& ranks);
  void rank_among_others(bool reads, const std::vector<Soon>& window, const std::vector<bool>& here,
                         const SwarmSpread& spread, Time now, std::vector<std::uint8_t>& ranks);

  std::map<std::uint32_t, Time> late_;  // Since when readers want soon what seeds alone have.
  std::vector<std::uint8_t> ranks_;     // By piece, as told.
};

}  // namespace shoal

#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace shoal {

/// Who has what, among the peers that are connected.
struct SwarmSpread {
  std::vector<int> availability;        // By piece: how many have it.
  int seeds = 0;                        // That have all.
  std::vector<std::string> incomplete;  // The others.
};

/// In which order the pieces of one transfer are asked for. libtorrent takes what is lowest in
/// (peers that have it, but for seeds, + 1) x (8 - rank), and any of those that are equal: rarest
/// first. What is left to decide are the ranks.
///
/// - With nobody else fetching, order costs nothing: the piece that blocks a reader first, and then
///   those behind it.
/// - Hosts that fetch the same content together should not choose alike: what several of them ask
///   one seed for is sent several times, and the seed's upload is what all of them wait for. So
///   each piece that seeds alone have is one host's, by rendezvous hashing over those that fetch:
///   that host asks for it before those of others.
/// - What readers want soon comes first among a host's own pieces, and among those that other hosts
///   have already. Since each brings other pieces, that window need not be wide.
///
/// Measured, eight hosts of 100 Mbit/s and a seed: docs/benchmarks.md.
///
/// Not thread-safe.
class PiecePlan {
 public:
  using Ranks = std::vector<std::pair<std::uint32_t, std::uint8_t>>;

  static constexpr std::uint8_t kRest = 4;  // What all pieces have at the start.
  static constexpr std::uint32_t kWindow = 32;

  /// `self`: as the others have it in their SwarmSpread.
  PiecePlan(std::string self, std::uint64_t word) : self_(std::move(self)), word_(word) {}

  /// The ranks that change, now that readers wait for `blocking`, and the pieces that have come are
  /// `here`.
  [[nodiscard]] Ranks update(const std::set<std::uint32_t>& blocking, const std::vector<bool>& here,
                             const SwarmSpread& spread);

 private:
  void find_own(std::size_t pieces, const std::vector<std::string>& others);

  const std::string self_;
  const std::uint64_t word_;         // Of the digest: other content, other owners.
  std::vector<std::string> others_;  // As of own_.
  std::vector<bool> own_;
  std::vector<std::uint8_t> ranks_;
};

}  // namespace shoal

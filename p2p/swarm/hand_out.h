#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <vector>

namespace shoal {

/// How a node that has all of some content hands it out to those that fetch it: each piece to one
/// of them, which gives it to the others. What a seed sends twice is time that all of them lose, so
/// it tells each which pieces to ask for, instead of letting each choose.
///
/// A peer is given the pieces that the fewest of the others have or have been given, from the front
/// of the content on: so that whoever reads gets on, and digests can be made in passing. A few at a
/// time: who is fast soon gets more. When every piece was given once, those that nobody has begun
/// to ask for are taken from their owners, from the last on, for peers that have nothing to do;
/// when there are none, pieces are given again, rare ones first.
///
/// Seeds do not speak with each other: each sees what peers have, and begins elsewhere in each part
/// of the content.
///
/// Not thread-safe: the thread of the network owns it.
class HandOut {
 public:
  using Peer = std::uint64_t;  // Any number, one for each connection.
  using Time = std::chrono::steady_clock::time_point;

  /// `salt`: other seeds have other ones.
  HandOut(std::uint32_t pieces, std::uint32_t salt)
      : salt_(salt), have_(pieces, 0), given_(pieces, 0), given_last_(pieces) {}

  /// How many pieces a peer should have before it that may have so many blocks on request: those,
  /// and some that it comes to while the next ones are on their way to it.
  [[nodiscard]] static std::size_t ahead(int requests, std::uint32_t piece_blocks) {
    return 3 + static_cast<std::size_t>(std::max(requests, 1) - 1) / piece_blocks;
  }

  /// A peer that has nothing, as far as is known.
  void join(Peer peer);
  void leave(Peer peer);
  /// What it has, and what it got since. One that has all is given nothing, and does not count.
  void has(Peer peer, const std::vector<bool>& pieces, Time now);
  void got(Peer peer, std::uint32_t piece, Time now);
  /// It has begun to ask for the piece.
  void asked(Peer peer, std::uint32_t piece);

  /// The pieces that the peer should ask for now, in this order, when they are others than at the
  /// last call; `ahead`: how many it should have before it.
  [[nodiscard]] std::optional<std::vector<std::uint32_t>> next(Peer peer, std::size_t ahead,
                                                               Time now);

 private:
  struct Given {
    std::uint32_t piece;
    Time since;
    bool asked = false;
  };
  struct Fetcher {
    std::vector<bool> has;
    std::size_t missing;
    std::vector<Given> given{};
    std::vector<std::uint32_t> told{};
  };
  static constexpr auto kNone = std::numeric_limits<std::uint32_t>::max();

  [[nodiscard]] std::uint32_t pieces() const { return static_cast<std::uint32_t>(have_.size()); }
  [[nodiscard]] std::uint32_t place(std::uint32_t piece) const;
  [[nodiscard]] std::uint32_t choose(const Fetcher& fetcher, Time now) const;
  [[nodiscard]] bool is_late(std::uint32_t piece, Time now) const;
  [[nodiscard]] std::uint32_t take_from_others(Peer peer);
  void give(Fetcher& fetcher, std::uint32_t piece, Time now);
  void take(Fetcher& fetcher, std::uint32_t piece);

  const std::uint32_t salt_;
  std::map<Peer, Fetcher> fetchers_;
  // By piece: how many of the fetchers have it, and how many have been given it.
  std::vector<std::uint32_t> have_;
  std::vector<std::uint32_t> given_;
  std::vector<Time> given_last_;  // When, of those that have been given.
  Time::duration usual_{};        // From when a piece is given until it is there.
};

}  // namespace shoal

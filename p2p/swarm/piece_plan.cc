#include "p2p/swarm/piece_plan.h"

#include <algorithm>

namespace shoal {
namespace {

constexpr std::uint8_t kFirst = 7;
constexpr std::uint8_t kSecond = 6;
constexpr std::uint8_t kLater = 2;
constexpr std::uint8_t kLast = 1;

// So long readers wait for a piece from whoever was given it: several times what a piece takes from
// a seed that serves many.
constexpr std::chrono::milliseconds kPatience{2000};

}  // namespace

std::vector<PiecePlan::Soon> PiecePlan::window(const std::set<std::uint32_t>& blocking,
                                               const std::vector<bool>& here) {
  const auto pieces = static_cast<std::uint32_t>(here.size());
  const auto width = std::max(kWindowMin, pieces / 8);
  std::vector<Soon> soon(pieces, Soon::no);
  for (const auto first : blocking) {
    auto left = width;
    for (auto piece = first; piece < pieces && left > 0; ++piece) {
      if (here[piece]) continue;
      soon[piece] = std::max(soon[piece], left > width - width / 4 ? Soon::next : Soon::yes);
      --left;
    }
  }
  return soon;
}

void PiecePlan::rank_alone(const std::set<std::uint32_t>& blocking, const std::vector<Soon>& window,
                           std::vector<std::uint8_t>& ranks) {
  for (std::uint32_t piece = 0; piece < ranks.size(); ++piece) {
    if (window[piece] != Soon::no) ranks[piece] = kSecond;
  }
  for (const auto piece : blocking) {
    if (piece < ranks.size()) ranks[piece] = kFirst;
  }
}

void PiecePlan::rank_among_others(bool reads, const std::vector<Soon>& window,
                                  const std::vector<bool>& here, const SwarmSpread& spread,
                                  Time now, std::vector<std::uint8_t>& ranks) {
  std::map<std::uint32_t, Time> late;
  for (std::uint32_t piece = 0; piece < ranks.size(); ++piece) {
    if (here[piece]) continue;
    const bool at_peers =
        piece < spread.availability.size() && spread.availability[piece] > spread.seeds;
    if (at_peers) {
      if (!reads) continue;
      ranks[piece] = window[piece] == Soon::next  ? kFirst
                     : window[piece] == Soon::yes ? kSecond
                                                  : kLater;
      continue;
    }
    ranks[piece] = kLast;
    if (window[piece] != Soon::next) continue;
    const auto found = late_.find(piece);
    const auto since = found == late_.end() ? now : found->second;
    late.emplace(piece, since);
    if (now - since >= kPatience) ranks[piece] = kFirst;
  }
  late_ = std::move(late);
  for (const auto piece : spread.given) {
    if (piece < ranks.size()) ranks[piece] = kFirst;
  }
}

PiecePlan::Ranks PiecePlan::update(const std::set<std::uint32_t>& blocking,
                                   const std::vector<bool>& here, const SwarmSpread& spread,
                                   Time now) {
  const auto soon = window(blocking, here);
  std::vector<std::uint8_t> ranks(here.size(), kRest);
  if (spread.incomplete == 0) {
    rank_alone(blocking, soon, ranks);
  } else {
    rank_among_others(!blocking.empty(), soon, here, spread, now, ranks);
  }
  ranks_.resize(here.size(), kStart);
  Ranks changes;
  for (std::uint32_t piece = 0; piece < ranks.size(); ++piece) {
    if (here[piece]) continue;
    if (std::exchange(ranks_[piece], ranks[piece]) != ranks[piece]) {
      changes.emplace_back(piece, ranks[piece]);
    }
  }
  for (const auto piece : spread.given) {
    // Again: give() may have overtaken what was told before it.
    if (piece < ranks.size() && !here[piece]) changes.emplace_back(piece, ranks[piece]);
  }
  return changes;
}

PiecePlan::Ranks PiecePlan::give(const std::vector<std::uint32_t>& given, std::size_t pieces) {
  ranks_.resize(pieces, kStart);
  Ranks changes;
  for (const auto piece : given) {
    if (piece < pieces && std::exchange(ranks_[piece], kFirst) != kFirst) {
      changes.emplace_back(piece, kFirst);
    }
  }
  return changes;
}

}  // namespace shoal

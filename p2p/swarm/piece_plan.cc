#include "p2p/swarm/piece_plan.h"

#include <algorithm>

#include "p2p/rendezvous.h"

namespace shoal {
namespace {

constexpr std::uint8_t kFirst = 7;
constexpr std::uint8_t kSoon = 6;
constexpr std::uint8_t kBefore = 5;  // What only seeds have and is not one's own.

}  // namespace

void PiecePlan::find_own(std::size_t pieces, const std::vector<std::string>& others) {
  if (own_.size() == pieces && others_ == others) return;
  others_ = others;
  auto ids = others;
  ids.push_back(self_);
  const Rendezvous rendezvous(std::move(ids));
  own_.assign(pieces, false);
  for (std::size_t piece = 0; piece < pieces; ++piece) {
    constexpr std::uint64_t kSpread = 0x9e3779b97f4a7c15;  // Neighbours differ in all bits.
    const auto first = rendezvous.top(word_ ^ (piece + 1) * kSpread, 1).front();
    own_[piece] = rendezvous.ids()[first] == self_;
  }
}

PiecePlan::Ranks PiecePlan::update(const std::set<std::uint32_t>& blocking,
                                   const std::vector<bool>& here, const SwarmSpread& spread) {
  const auto pieces = static_cast<std::uint32_t>(here.size());
  const bool alone = spread.incomplete.empty();
  auto others = spread.incomplete;
  std::sort(others.begin(), others.end());
  find_own(pieces, others);

  std::vector<bool> window(pieces, false);
  for (const auto first : blocking) {
    std::uint32_t left = kWindow;
    for (auto piece = first; piece < pieces && left > 0; ++piece) {
      if (here[piece]) continue;
      --left;
      window[piece] = true;
    }
  }
  const auto rank = [&](std::uint32_t piece) {
    const bool blocks = blocking.contains(piece);
    if (alone) return blocks ? kFirst : window[piece] ? kSoon : kRest;
    const int have = piece < spread.availability.size() ? spread.availability[piece] : 0;
    if (have <= spread.seeds) {
      if (!own_[piece]) return kRest;
      return window[piece] ? kSoon : kBefore;
    }
    return blocks ? kSoon : window[piece] ? kBefore : kRest;
  };
  ranks_.resize(pieces, kRest);
  Ranks changes;
  for (std::uint32_t piece = 0; piece < pieces; ++piece) {
    if (here[piece]) continue;
    const auto now = rank(piece);
    if (std::exchange(ranks_[piece], now) != now) changes.emplace_back(piece, now);
  }
  return changes;
}

}  // namespace shoal

#include "p2p/swarm/read_window.h"

#include <algorithm>

namespace shoal {

ReadWindow::Ranks ReadWindow::move(const std::set<std::uint32_t>& blocking,
                                   const std::vector<bool>& here, const SwarmSpread& spread) {
  const bool alone = spread.incomplete_peers == 0;
  const auto pieces = static_cast<std::uint32_t>(here.size());
  const auto width = alone ? kNarrow : std::max(kWide, pieces / 3);
  std::map<std::uint32_t, std::uint8_t> wanted;
  for (const auto first : blocking) {
    std::uint32_t left = width;
    for (auto piece = first; piece < pieces && left > 0; ++piece) {
      if (here[piece]) continue;
      --left;
      wanted.emplace(piece, alone ? kSoon : kPreferred);
    }
    const bool common = first < spread.availability.size() && spread.availability[first] > 1;
    if (first >= pieces || here[first] || !(alone || common)) continue;
    wanted[first] = alone ? kBlocking : kSoon;
  }
  Ranks changes;
  for (const auto& [piece, rank] : ranked_) {
    if (!wanted.contains(piece) && !here[piece]) changes.emplace_back(piece, kRest);
  }
  for (const auto& [piece, rank] : wanted) {
    const auto before = ranked_.find(piece);
    if (before == ranked_.end() || before->second != rank) changes.emplace_back(piece, rank);
  }
  ranked_ = std::move(wanted);
  return changes;
}

}  // namespace shoal

#include "p2p/swarm/hand_out.h"

#include <algorithm>
#include <tuple>

namespace shoal {
namespace {

// Seeds begin at different places of each part of so many pieces.
constexpr std::uint32_t kPart = 32;
// A piece is late after so many times as long as others took, and not before.
constexpr int kLate = 4;
constexpr std::chrono::milliseconds kLateAtLeast{500};
constexpr int kMemory = 8;  // Of what is usual, in pieces.

}  // namespace

/// In which order pieces are given that are equal otherwise.
std::uint32_t HandOut::place(std::uint32_t piece) const {
  return piece / kPart * kPart + (piece + salt_) % kPart;
}

void HandOut::join(Peer peer) {
  fetchers_.try_emplace(peer, Fetcher{std::vector<bool>(pieces(), false), pieces()});
}

void HandOut::leave(Peer peer) {
  const auto found = fetchers_.find(peer);
  if (found == fetchers_.end()) return;
  auto& fetcher = found->second;
  while (!fetcher.given.empty()) take(fetcher, fetcher.given.back().piece);
  for (std::uint32_t piece = 0; piece < pieces(); ++piece) {
    if (fetcher.has[piece]) --have_[piece];
  }
  fetchers_.erase(found);
}

void HandOut::has(Peer peer, const std::vector<bool>& pieces, Time now) {
  for (std::uint32_t piece = 0; piece < pieces.size(); ++piece) {
    if (pieces[piece]) got(peer, piece, now);
  }
}

void HandOut::got(Peer peer, std::uint32_t piece, Time now) {
  const auto found = fetchers_.find(peer);
  if (found == fetchers_.end() || piece >= pieces() || found->second.has[piece]) return;
  auto& fetcher = found->second;
  for (const auto& given : fetcher.given) {
    if (given.piece != piece) continue;
    const auto took = now - given.since;
    usual_ = usual_ == Time::duration() ? took : usual_ + (took - usual_) / kMemory;
  }
  take(fetcher, piece);
  fetcher.has[piece] = true;
  ++have_[piece];
  if (--fetcher.missing == 0) leave(peer);
}

void HandOut::asked(Peer peer, std::uint32_t piece) {
  const auto found = fetchers_.find(peer);
  if (found == fetchers_.end()) return;
  for (auto& given : found->second.given) {
    if (given.piece == piece) given.asked = true;
  }
}

void HandOut::give(Fetcher& fetcher, std::uint32_t piece, Time now) {
  given_last_[piece] = now;
  fetcher.given.push_back({piece, now});
  ++given_[piece];
}

void HandOut::take(Fetcher& fetcher, std::uint32_t piece) {
  const auto taken =
      std::erase_if(fetcher.given, [&](const auto& one) { return one.piece == piece; });
  given_[piece] -= static_cast<std::uint32_t>(taken);
}

/// Whether whoever was given it should have it by now.
bool HandOut::is_late(std::uint32_t piece, Time now) const {
  return now - given_last_[piece] >= std::max<Time::duration>(kLateAtLeast, kLate * usual_);
}

std::uint32_t HandOut::choose(const Fetcher& fetcher, Time now) const {
  auto best = kNone;
  // A second copy of what is under way helps least.
  const auto cost = [&](std::uint32_t piece) {
    return std::tuple(have_[piece] + given_[piece], given_[piece], place(piece));
  };
  for (std::uint32_t piece = 0; piece < pieces(); ++piece) {
    if (fetcher.has[piece]) continue;
    if (best != kNone && cost(best) < cost(piece)) continue;
    const bool given = std::any_of(fetcher.given.begin(), fetcher.given.end(),
                                   [&](const auto& one) { return one.piece == piece; });
    if (given || (given_[piece] > 0 && !is_late(piece, now))) continue;
    best = piece;
  }
  return best;
}

/// A piece that its only owner has not begun with, and which is the last of several that it was
/// given.
std::uint32_t HandOut::take_from_others(Peer peer) {
  Fetcher* richest = nullptr;
  for (auto& [other, fetcher] : fetchers_) {
    if (other == peer || fetcher.given.size() < 2) continue;
    const auto& last = fetcher.given.back();
    const bool idle = !last.asked && given_[last.piece] == 1 && have_[last.piece] == 0;
    if (!idle || fetchers_.at(peer).has[last.piece]) continue;
    if (richest == nullptr || fetcher.given.size() > richest->given.size()) richest = &fetcher;
  }
  if (richest == nullptr) return kNone;
  const auto piece = richest->given.back().piece;
  take(*richest, piece);
  return piece;
}

std::optional<std::vector<std::uint32_t>> HandOut::next(Peer peer, std::size_t ahead, Time now) {
  const auto found = fetchers_.find(peer);
  if (found == fetchers_.end()) return std::nullopt;
  auto& fetcher = found->second;
  while (fetcher.given.size() < std::min(ahead, fetcher.missing)) {
    auto piece = choose(fetcher, now);
    const bool fresh = piece != kNone && have_[piece] == 0 && given_[piece] == 0;
    const bool idle = std::all_of(fetcher.given.begin(), fetcher.given.end(),
                                  [](const auto& given) { return given.asked; });
    if (!fresh && idle) {
      const auto taken = take_from_others(peer);
      if (taken != kNone) piece = taken;
    }
    if (piece == kNone) break;
    give(fetcher, piece, now);
  }
  std::vector<std::uint32_t> pieces;
  for (const auto& given : fetcher.given) pieces.push_back(given.piece);
  if (pieces == fetcher.told) return std::nullopt;
  fetcher.told = pieces;
  return pieces;
}

}  // namespace shoal

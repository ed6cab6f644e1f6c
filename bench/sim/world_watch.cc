// What SwarmTransfers does every beat, and the clients that read.

#include <algorithm>

#include "bench/sim/world.h"
#include "p2p/swarm/rate_shares.h"

namespace shoal::sim {
namespace {

// As in p2p/swarm/transfers.cc and its configuration.
constexpr Time kBeatOfEach = std::chrono::milliseconds(3);
constexpr Time kLookMax = std::chrono::seconds(30);
constexpr Time kRateOver = std::chrono::seconds(1);
constexpr Time kStall = std::chrono::seconds(2);
constexpr Time kProgressTimeout = std::chrono::seconds(30);
constexpr std::size_t kReadersMax = 3;

}  // namespace

void World::beat(std::uint32_t host) {
  if (!hosts_[host].lives) return;
  int going = 0;
  bool more = false;
  limit(host);
  for (std::uint32_t blob = 0; blob < blobs_.size(); ++blob) {
    const auto index = member_of(host, blob);
    const auto state = members_[index].state;
    more = more || state == Member::State::away || state == Member::State::joining;
    if (state != Member::State::fetching && state != Member::State::committing) continue;
    ++going;
    if (state == Member::State::fetching) look_at(index);
  }
  if (going == 0 && !more) return;
  events_.push(now_ + std::max(options_.beat, kBeatOfEach * going), Happens::beat, host);
}

void World::limit(std::uint32_t host) {
  if (blobs_.size() == 1) return;  // One class has nobody to yield to.
  std::vector<RateClaim> claims;
  std::vector<std::uint32_t> going;
  for (std::uint32_t blob = 0; blob < blobs_.size(); ++blob) {
    const auto index = member_of(host, blob);
    const auto& member = members_[index];
    if (!member.active()) continue;
    going.push_back(index);
    claims.push_back({member.of_class, now_ - member.moved < kStall, member.rate, member.limit});
  }
  const auto limits = share_rates(claims, 0);
  for (std::size_t i = 0; i < going.size(); ++i) {
    auto& member = members_[going[i]];
    if (member.limit > 0) {
      const double rate = static_cast<double>(member.limit);
      const double per_beat = rate * std::chrono::duration<double>(options_.beat).count();
      member.credit = std::min(member.credit + per_beat, 2 * per_beat);
    }
    member.limit = limits[i];
    const auto flows = member.flows;
    for (const auto flow : flows) ask(flow);
  }
}

void World::look_at(std::uint32_t index) {
  auto& member = members_[index];
  if (member.received != std::exchange(member.seen, member.received)) member.moved = now_;
  if (now_ - member.rate_since >= kRateOver) {
    const double seconds = std::chrono::duration<double>(now_ - member.rate_since).count();
    member.rate = static_cast<std::uint64_t>(
        static_cast<double>(member.received - member.rate_bytes) / seconds);
    member.rate_since = now_;
    member.rate_bytes = member.received;
  }
  const auto still = now_ - member.moved;
  if (still >= kProgressTimeout) return fail(member);
  plan(index);
  if (still < kStall && now_ < member.next_look) return;
  member.look_pause = std::min(member.look_pause * 2, kLookMax);
  member.next_look = now_ + member.look_pause;
  connect(index, directory_->join(member.host, {member.blob}, now_).front());
}

void World::plan(std::uint32_t index) {
  auto& member = members_[index];
  auto& picker = *member.picker;
  const auto pieces = shapes_[member.blob].pieces();
  spread_.availability.resize(pieces);
  here_.resize(pieces);
  for (std::uint32_t piece = 0; piece < pieces; ++piece) {
    spread_.availability[piece] = picker.availability(piece);
    here_[piece] = picker.here(piece);
  }
  spread_.seeds = spread_.incomplete = 0;
  spread_.given.clear();
  for (const auto from : member.flows) {
    if (!connections_[from / 2].ready) continue;
    const bool all = sender(from).has_all();
    ++(all ? spread_.seeds : spread_.incomplete);
    const auto& given = flow(from).given;
    spread_.given.insert(spread_.given.end(), given.begin(), given.end());
  }
  std::set<std::uint32_t> blocking;
  if (member.blocking) blocking.insert(*member.blocking);
  for (const auto& [piece, rank] : member.plan->update(blocking, here_, spread_, steady(now_))) {
    picker.rank(piece, rank);
  }
}

/// The client has read what is there, and waits for the next piece.
void World::read_on(std::uint32_t index) {
  auto& member = members_[index];
  if (member.in_order == shapes_[member.blob].pieces()) {
    member.blocking.reset();
    --hosts_[member.host].readers;
    next_reader(member.host);
    return;
  }
  member.blocking = member.in_order;
  if (member.active()) plan(index);
}

void World::next_reader(std::uint32_t host) {
  auto& of = hosts_[host];
  while (of.readers < kReadersMax && !of.unread.empty()) {
    const auto index = member_of(host, of.unread.front());
    if (members_[index].state == Member::State::joining) return;  // It waits for the answer.
    of.unread.erase(of.unread.begin());
    ++of.readers;
    read_on(index);
  }
}

}  // namespace shoal::sim

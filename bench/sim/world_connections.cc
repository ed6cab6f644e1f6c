// Who is connected to whom.

#include <algorithm>

#include "bench/sim/costs.h"
#include "bench/sim/world.h"

namespace shoal::sim {
namespace {

constexpr Time kReconnect = std::chrono::seconds(1);  // min_reconnect_time.

}  // namespace

/// As SwarmTransfers::addresses(): holders first, then fetchers, as far as there is room.
void World::connect(std::uint32_t index, const SimDirectory::Found& found) {
  auto& member = members_[index];
  auto peers = found.holders;
  const auto fetchers = std::min(found.fetchers.size(), options_.fetchers_max);
  peers.insert(peers.end(), found.fetchers.begin(),
               found.fetchers.begin() + static_cast<std::ptrdiff_t>(fetchers));
  auto room = options_.peers_max - std::min(options_.peers_max, member.flows.size());
  for (const auto host : peers) {
    if (room == 0) break;
    const auto other = member_of(host, member.blob);
    auto& peer = members_[other];
    --room;
    const bool known = std::any_of(
        member.flows.begin(), member.flows.end(),
        [&](std::uint32_t flow) { return connections_[flow / 2].ends[1 - flow % 2] == other; });
    // One that has not begun yet has no torrent in its session: it admits nobody.
    const bool there = peer.state == Member::State::fetching ||
                       peer.state == Member::State::committing || peer.state == Member::State::done;
    if (known || !hosts_[host].lives) continue;
    if (options_.seed_peers > 0 && peer.has_all() && peer.flows.size() >= options_.seed_peers) {
      ++room;
      continue;
    }
    if (!there) {
      events_.push(now_ + kReconnect, Happens::retry, index, host);
      continue;
    }
    const auto connection = static_cast<std::uint32_t>(connections_.size());
    connections_.push_back({{index, other}});
    member.flows.push_back(connection * 2);
    peer.flows.push_back(connection * 2 + 1);
    for (const auto end : {member.host, peer.host}) {
      auto& count = hosts_[end].connections;
      hosts_[end].connections_max = std::max(hosts_[end].connections_max, ++count);
    }
    events_.push(now_ + kConnectRoundTrips * 2 * options_.latency + kConnectWork, Happens::ready,
                 connection);
  }
}

void World::ready(std::uint32_t index) {
  auto& connection = connections_[index];
  if (!connection.open) return;
  if (members_[connection.ends[0]].has_all() && members_[connection.ends[1]].has_all()) {
    close(index);
    return;
  }
  connection.ready = true;
  for (std::uint32_t end = 0; end < 2; ++end) {
    auto& flow = connection.flows[end];
    auto& own = members_[connection.ends[end]];
    const auto& other = members_[connection.ends[1 - end]];
    flow.as_seed = other.has_all();
    flow.has = flow.as_seed ? Bits(shapes_[own.blob].pieces(), true) : other.picker->here();
    flow.queue = RequestQueue(steady(now_));
    if (own.picker) own.picker->peer_came(flow.has, flow.as_seed);
  }
  for (std::uint32_t end = 0; end < 2; ++end) {
    const auto to = index * 2 + end;  // The sender may be a seed that gives pieces.
    auto& from = sender(to);
    if (from.hand_out) {
      from.hand_out->join(to);
      if (receiver(to).picker)
        receiver(to).picker->here().for_each(
            [&](std::uint32_t piece) { from.hand_out->got(to, piece, steady(now_)); });
      hand_out(to);
    }
    ask(to);
  }
}

void World::close(std::uint32_t index) {
  auto& connection = connections_[index];
  if (!connection.open) return;
  connection.open = false;
  bool free = false;
  for (std::uint32_t end = 0; end < 2; ++end) {
    auto& flow = connection.flows[end];
    auto& own = members_[connection.ends[end]];
    std::erase(own.flows, index * 2 + end);
    --hosts_[own.host].connections;
    if (own.hand_out) own.hand_out->leave((index * 2 + end) ^ 1U);
    if (own.picker && connection.ready) own.picker->peer_went(flow.has, flow.as_seed);
    free = free || !flow.requests.empty();
    for (const auto& request : flow.requests) own.picker->given_up(request.unit);
    flow.requests = {};
    flow.on_wire = flow.waiting = 0;
  }
  connection.ready = false;
  // What was asked of the one that went is free for the others to give.
  if (!free) return;
  const auto ends = connection.ends;
  for (const auto end : ends) {
    if (!members_[end].active()) continue;
    const auto flows = members_[end].flows;
    for (const auto flow : flows) ask(flow);
  }
}

void World::close_all(Member& member) {
  while (!member.flows.empty()) close(member.flows.back() / 2);
}

/// Two that have it all have nothing to say to each other.
void World::close_redundant(std::uint32_t member) {
  const auto flows = members_[member].flows;
  for (const auto flow : flows) {
    const auto& connection = connections_[flow / 2];
    if (connection.ready && sender(flow).has_all()) close(flow / 2);
  }
}

}  // namespace shoal::sim

// Requests, the units that answer them, and the pieces that these make.

#include <algorithm>

#include "bench/sim/costs.h"
#include "bench/sim/world.h"
#include "p2p/torrent.h"

namespace shoal::sim {
namespace {}  // namespace

/// How many requests the sender of a flow wants to have waiting: blocks.
int World::requests(std::uint32_t index) {
  return options_.queue_blocks > 0 ? options_.queue_blocks : flow(index).told;
}

/// As many requests as the sender wants to have waiting.
void World::ask(std::uint32_t index) {
  auto& connection = connections_[index / 2];
  auto& own = receiver(index);
  if (!connection.ready || !own.active() || !hosts_[own.host].lives) return;
  auto& flow = this->flow(index);
  const auto& shape = shapes_[own.blob];
  const auto blocks = static_cast<std::uint64_t>(requests(index));
  const auto room =
      std::max<std::uint64_t>(1, (blocks * kBlockBytes + shape.unit_bytes - 1) / shape.unit_bytes);
  std::uint32_t made = 0;
  while (flow.requests.size() < room && (own.limit == 0 || own.credit > 0)) {
    auto unit = own.picker->pick(flow.has, random_);
    if (!unit && flow.requests.empty()) unit = own.picker->pick_busy(flow.has, random_);
    if (!unit) break;
    if (own.limit > 0) own.credit -= static_cast<double>(shape.unit_bytes);
    flow.requests.push_back({*unit, now_});
    ++made;
  }
  if (made == 0) return;
  hosts_[own.host].uplink.link.add_overhead(kMessageBytes);
  events_.push(now_ + options_.latency, Happens::asked, index, made);
}

void World::asked(std::uint32_t index, std::uint32_t count) {
  auto& flow = this->flow(index);
  if (!connections_[index / 2].ready) return;
  // Some may have been taken back before they came.
  const auto come = static_cast<std::uint32_t>(flow.requests.size()) - flow.on_wire - flow.waiting;
  const auto first = flow.on_wire + flow.waiting;
  flow.waiting += std::min(count, come);
  if (auto& from = sender(index); from.hand_out) {
    for (auto i = first; i < flow.on_wire + flow.waiting; ++i) {
      from.hand_out->asked(index, flow.requests[i].unit.piece);
    }
  }
  if (flow.waiting == 0 || flow.in_turn) return;
  flow.in_turn = true;
  const auto host = sender(index).host;
  auto& uplink = hosts_[host].uplink;
  uplink.turns.push_back(index);
  if (!uplink.sending) send_next(host);
}

void World::cancelled(std::uint32_t index, Unit unit) {
  auto& flow = this->flow(index);
  for (auto i = flow.on_wire; i < flow.on_wire + flow.waiting; ++i) {
    if (!(flow.requests[i].unit == unit)) continue;
    flow.requests.erase(flow.requests.begin() + i);
    --flow.waiting;
    ask(index);
    return;
  }
}

/// The next flow's next unit goes out, and comes in behind what comes to the receiver already.
void World::send_next(std::uint32_t host) {
  auto& uplink = hosts_[host].uplink;
  uplink.sending = false;
  while (!uplink.turns.empty()) {
    const auto index = uplink.turns.front();
    uplink.turns.pop_front();
    auto& flow = this->flow(index);
    if (flow.waiting == 0 || !hosts_[host].lives) {
      flow.in_turn = false;
      continue;
    }
    auto& own = receiver(index);
    auto& from = sender(index);
    const auto unit = flow.requests[flow.on_wire].unit;
    const auto bytes = shapes_[own.blob].bytes_of(unit.piece, unit.unit);
    const auto blocks = (bytes + kBlockBytes - 1) / kBlockBytes;
    const auto on_link = bytes + blocks * kBlockOverhead;
    --flow.waiting;
    ++flow.on_wire;
    flow.in_turn = flow.waiting > 0;
    if (flow.in_turn) uplink.turns.push_back(index);
    const auto gone = uplink.link.occupy(now_, on_link);
    auto& down = hosts_[own.host].down;
    down.occupy(now_ + options_.latency, on_link);
    down.hold_until(gone + options_.latency);
    from.sent += bytes;
    hosts_[host].sent += bytes;
    uplink.sending = true;
    events_.push(gone, Happens::uplink_free, host);
    events_.push(down.free_at(), Happens::arrived, index);
    const auto wanted = flow.queue.sent(bytes, steady(gone));
    if (wanted) {
      events_.push(gone + options_.latency, Happens::told_queue, index,
                   static_cast<std::uint32_t>(*wanted));
    }
    return;
  }
}

void World::arrived(std::uint32_t index) {
  auto& flow = this->flow(index);
  if (!connections_[index / 2].open || flow.on_wire == 0) return;  // Lost with the connection.
  auto& own = receiver(index);
  const auto request = flow.requests.front();
  flow.requests.erase(flow.requests.begin());
  --flow.on_wire;
  const auto bytes = shapes_[own.blob].bytes_of(request.unit.piece, request.unit.unit);
  own.received += bytes;
  if (own.first_byte == Time(0)) own.first_byte = now_;
  time_request(index, request.made);
  const bool twice = own.picker->asked_twice(request.unit);
  const auto came = own.picker->came(request.unit);
  if (came == PiecePicker::Came::again) own.duplicate += bytes;
  if (came != PiecePicker::Came::again && twice) cancel_elsewhere(own, request.unit);
  if (came == PiecePicker::Came::piece) {
    const double seconds =
        static_cast<double>(shapes_[own.blob].bytes_of(request.unit.piece)) / kVerifyRate;
    events_.push(now_ + std::chrono::duration_cast<Time>(std::chrono::duration<double>(seconds)),
                 Happens::verified, connections_[index / 2].ends[index % 2], request.unit.piece);
  }
  ask(index);
}

void World::cancel_elsewhere(const Member& member, Unit unit) {
  for (const auto index : member.flows) {
    const auto& requests = flow(index).requests;
    const bool asks = std::any_of(requests.begin(), requests.end(),
                                  [&](const Request& request) { return request.unit == unit; });
    if (asks)
      events_.push(now_ + options_.latency, Happens::cancelled, index, unit.piece, unit.unit);
  }
}

/// As the peer plugin times requests, and tells the sender of the shortest.
void World::time_request(std::uint32_t index, Time made) {
  constexpr Time kRoundTripMin = std::chrono::milliseconds(1);
  auto& flow = this->flow(index);
  const auto time = now_ - made;
  if (flow.shortest && *flow.shortest <= time) return;
  flow.shortest = time;
  const bool news = !flow.said || time * 2 < *flow.said;
  if (!news || time <= kRoundTripMin) return;
  flow.said = time;
  const auto us = std::chrono::duration_cast<std::chrono::microseconds>(time).count();
  events_.push(now_ + options_.latency, Happens::told_time, index, static_cast<std::uint32_t>(us));
}

void World::verified(std::uint32_t index, std::uint32_t piece) {
  auto& member = members_[index];
  if (!hosts_[member.host].lives || !member.active()) return;
  const auto& shape = shapes_[member.blob];
  auto& picker = *member.picker;
  picker.verified(piece);
  while (member.in_order < shape.pieces() && picker.here(member.in_order)) ++member.in_order;
  if (member.half == Time(0) && member.in_order * 2 >= shape.pieces()) member.half = now_;
  for (const auto from : member.flows) {
    if (!connections_[from / 2].ready) continue;
    const auto to = from ^ 1U;  // What its peer receives of it.
    hosts_[member.host].uplink.link.add_overhead(kMessageBytes);
    hosts_[receiver(to).host].down.add_overhead(kMessageBytes);
  }
  events_.push(now_ + options_.latency, Happens::told_have, index, piece);
  if (picker.missing() == 0) {
    member.state = Member::State::committing;
    member.hand_out = std::make_unique<HandOut>(shape.pieces(), member.host * 11);
    for (const auto from : member.flows) {
      if (!connections_[from / 2].ready) continue;
      const auto to = from ^ 1U;
      member.hand_out->join(to);
      flow(from).has.for_each(
          [&](std::uint32_t has) { member.hand_out->got(to, has, steady(now_)); });
    }
    for (const auto from : member.flows) {
      if (connections_[from / 2].ready) hand_out(from ^ 1U);
    }
    const double seconds = static_cast<double>(shape.bytes_of(piece)) / kVerifyRate;
    events_.push(now_ + kCommitWork +
                     std::chrono::duration_cast<Time>(std::chrono::duration<double>(seconds)),
                 Happens::committed, index);
  }
  if (member.blocking == piece) read_on(index);
}

/// Seeds hear of a piece with the next one that they gave (peer_plugin.cc).
void World::told_have(std::uint32_t index, std::uint32_t piece) {
  auto& member = members_[index];
  if (!hosts_[member.host].lives) return;
  for (const auto from : member.flows) {
    if (!connections_[from / 2].ready) continue;
    const auto to = from ^ 1U;
    if (!receiver(to).hand_out || member.has_all()) {
      knows(to, piece);
      continue;
    }
    auto& held = flow(to).held;
    held.push_back(piece);
    const auto& given = flow(from).given;
    if (std::find(given.begin(), given.end(), piece) == given.end()) continue;
    for (const auto one : std::exchange(held, {})) knows(to, one);
  }
  if (member.has_all()) close_redundant(index);
}

void World::knows(std::uint32_t index, std::uint32_t piece) {
  auto& flow = this->flow(index);
  if (!connections_[index / 2].ready || flow.has.test(piece)) return;
  flow.has.set(piece);
  auto& own = receiver(index);
  if (own.hand_out) {
    own.hand_out->got(index ^ 1U, piece, steady(now_));
    hand_out(index ^ 1U);
  }
  if (!own.picker) return;
  own.picker->peer_has(piece);
  if (own.active() && own.picker->has_free(piece)) ask(index);
}

/// What a seed tells the receiver of a flow to ask for, when that has changed.
void World::hand_out(std::uint32_t index) {
  const auto blocks = shapes_[receiver(index).blob].piece_bytes / kBlockBytes;
  const auto ahead = HandOut::ahead(requests(index), static_cast<std::uint32_t>(blocks));
  auto now = sender(index).hand_out->next(index, ahead, steady(now_));
  if (!now) return;
  flow(index).given_soon = std::move(*now);
  events_.push(now_ + options_.latency, Happens::given, index);
}

/// Before anything else is asked for.
void World::given(std::uint32_t index) {
  auto& flow = this->flow(index);
  auto& own = receiver(index);
  if (!connections_[index / 2].ready || !own.active()) return;
  flow.given = flow.given_soon;
  for (const auto& [piece, rank] : own.plan->give(flow.given, shapes_[own.blob].pieces())) {
    own.picker->rank(piece, rank);
  }
  ask(index);
}

}  // namespace shoal::sim

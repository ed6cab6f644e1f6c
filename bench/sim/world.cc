#include "bench/sim/world.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "bench/sim/costs.h"
#include "p2p/rendezvous.h"
#include "p2p/torrent.h"

namespace shoal::sim {
namespace {

Digest digest_of(std::uint32_t blob, std::uint64_t seed) {
  return Digest::of(fmt::format("blob {} of world {}", blob, seed));
}

/// Any that differs.
std::uint32_t salt_of(std::uint32_t host) { return host * 11; }

/// As long as those that nodes give themselves, and as random.
std::string node_id(Random& random) {
  static constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyz234567";
  std::string id = "n-";
  for (int i = 0; i < 10; ++i) id += kLetters[random.below(kLetters.size())];
  return id;
}

}  // namespace

World::World(const Options& options)
    : options_(options), blobs_(blobs_of(options)), random_(options.seed) {
  std::vector<std::string> ids;
  for (std::size_t i = 0; i <= options_.hosts; ++i) {
    ids.push_back(node_id(random_));
    hosts_.emplace_back(ids.back(), i == 0 ? options_.seed_up : options_.up, options_.down);
  }
  std::vector<Digest> digests;
  for (std::uint32_t blob = 0; blob < blobs_.size(); ++blob) {
    digests.push_back(digest_of(blob, options_.seed));
    const auto bytes = blobs_[blob].bytes;
    const auto piece = options_.piece_bytes > 0 ? options_.piece_bytes : piece_bytes_for(bytes);
    const auto unit = std::min(unit_blocks_of(options_, piece) * kBlockBytes, piece);
    shapes_.push_back({bytes, piece, unit});
  }
  directory_ = std::make_unique<SimDirectory>(std::move(ids), digests, options_.seed);
  members_.resize(hosts_.size() * blobs_.size());
  found_.resize(members_.size());
  const std::uint32_t holders = options_.workload == Workload::w7 ? 2 : 1;
  for (std::uint32_t host = 0; host < hosts_.size(); ++host) {
    for (std::uint32_t blob = 0; blob < blobs_.size(); ++blob) {
      auto& member = members_[member_of(host, blob)];
      member.host = host;
      member.blob = blob;
      member.of_class = blobs_[blob].of_class;
      if (host < holders) {
        member.hand_out = std::make_unique<HandOut>(shapes_[blob].pieces(), salt_of(host));
        member.state = Member::State::done;
        directory_->held_before(host, blob);
        continue;
      }
      member.picker = std::make_unique<PiecePicker>(shapes_[blob]);
      member.plan = std::make_unique<PiecePlan>();
      ++unfinished_;
    }
  }
}

void World::run() {
  const auto count = static_cast<std::uint32_t>(hosts_.size());
  const auto within = static_cast<std::uint32_t>(options_.start_within.count() / 1000) + 1;
  const bool arrivals = options_.workload == Workload::w6;
  for (std::uint32_t host = 1; host < count; ++host) {
    Time at = std::chrono::microseconds(random_.below(within));
    if (arrivals) at += options_.arrival_every * (host - 1);
    const bool late = arrivals && host > 1 && host + 1 == count;
    if (!late) arrive(host, at);  // That one comes when the others are done.
  }
  if (options_.workload == Workload::w7) events_.push(death(options_), Happens::death, 0);
  while (unfinished_ > 0 && !events_.empty() && now_ < options_.end_at) {
    const auto event = events_.pop();
    now_ = event.at;
    happen(event);
  }
}

/// From then on the host is there, and wants what all want.
void World::arrive(std::uint32_t host, Time at) {
  for (std::uint32_t blob = 0; blob < blobs_.size();) {
    auto last = blob;
    while (last < blobs_.size() && blobs_[last].wanted == blobs_[blob].wanted) ++last;
    events_.push(at + blobs_[blob].wanted, Happens::want, host, blob, last - blob);
    blob = last;
  }
  const auto beat = static_cast<std::uint32_t>(options_.beat.count() / 1000) + 1;
  events_.push(at + std::chrono::microseconds(random_.below(beat)), Happens::beat, host);
}

void World::happen(const Event<Happens>& event) {
  switch (event.kind) {
    case Happens::want: return want(event.a, event.b, event.c);
    case Happens::begin: return begin(event.a);
    case Happens::ready: return ready(event.a);
    case Happens::retry:
      if (members_[event.a].active()) connect(event.a, {{event.b}, {}});
      return;
    case Happens::asked: return asked(event.a, event.b);
    case Happens::cancelled: return cancelled(event.a, {event.b, event.c});
    case Happens::uplink_free: return send_next(event.a);
    case Happens::arrived: return arrived(event.a);
    case Happens::verified: return verified(event.a, event.b);
    case Happens::told_have: return told_have(event.a, event.b);
    case Happens::told_queue: flow(event.a).told = static_cast<int>(event.b); return ask(event.a);
    case Happens::given: return given(event.a);
    case Happens::told_time:
      return flow(event.a).queue.set_round_trip(std::chrono::microseconds(event.b));
    case Happens::beat: return beat(event.a);
    case Happens::committed: return commit(event.a);
    case Happens::announce: {
      if (!hosts_[event.a].lives) return;
      const auto next = directory_->announce(event.a, now_);
      if (next) events_.push(*next, Happens::announce, event.a);
      return;
    }
    case Happens::death: return die();
  }
}

/// Asks the directory, then a holder for the torrent of each.
void World::want(std::uint32_t host, std::uint32_t first, std::uint32_t count) {
  if (!hosts_[host].lives || members_[member_of(host, first)].has_all()) return;
  const auto round_trip = 2 * options_.latency;
  std::vector<std::uint32_t> blobs;
  for (auto blob = first; blob < first + count; ++blob) blobs.push_back(blob);
  auto found = directory_->join(host, blobs, now_ + options_.latency);
  const auto known = now_ + kRequestRoundTrips * round_trip + kRequestWork;
  for (std::size_t i = 0; i < blobs.size(); ++i) {
    const auto index = member_of(host, blobs[i]);
    auto& member = members_[index];
    member.state = Member::State::joining;
    member.wanted = now_;
    auto at = known + kRequestRoundTrips * round_trip + kRequestWork;
    // The torrent comes from the first that is named: holders stand before fetchers.
    const auto& from = found[i].holders.empty() ? found[i].fetchers : found[i].holders;
    if (!from.empty() && hosts_[from.front()].lives) {
      const auto bytes = shapes_[blobs[i]].pieces() * kTorrentHashBytes + kTorrentHeadBytes;
      at = std::max(at, hosts_[from.front()].uplink.link.occupy(known, bytes) + options_.latency);
    }
    found_[index] = std::move(found[i]);
    events_.push(at + kBeginWork, Happens::begin, index);
  }
  if (options_.readers) {
    hosts_[host].unread.insert(hosts_[host].unread.end(), blobs.begin(), blobs.end());
  }
}

void World::begin(std::uint32_t index) {
  auto& member = members_[index];
  if (!hosts_[member.host].lives) return;
  constexpr Time kLookFirst = std::chrono::seconds(5);
  member.state = Member::State::fetching;
  member.moved = member.rate_since = now_;
  member.look_pause = kLookFirst;
  member.next_look = now_ + kLookFirst;
  connect(index, std::exchange(found_[index], {}));
  next_reader(member.host);
}

void World::commit(std::uint32_t index) {
  auto& member = members_[index];
  if (member.state != Member::State::committing) return;
  member.done = now_;
  end(member, Member::State::done);
  const auto next = directory_->holds(member.host, member.blob, now_);
  if (next) events_.push(*next, Happens::announce, member.host);
  if (options_.workload == Workload::w6 && unfinished_ == blobs_.size()) {
    const auto last = static_cast<std::uint32_t>(hosts_.size() - 1);  // The late one.
    if (members_[member_of(last, 0)].state == Member::State::away) {
      arrive(last, now_ + options_.arrival_every);
    }
  }
}

void World::fail(Member& member) {
  close_all(member);
  end(member, Member::State::failed);
}

void World::end(Member& member, Member::State how) {
  member.state = how;
  --unfinished_;
}

/// The seed and some others, at once: their processes end, and their kernels say so to the peers.
void World::die() {
  std::vector<std::uint32_t> dying;
  for (std::uint32_t host = 2; host < hosts_.size(); ++host) dying.push_back(host);
  random_.shuffle(dying);
  dying.resize(victims(options_));
  dying.push_back(0);
  for (const auto host : dying) {
    hosts_[host].lives = false;
    directory_->die(host);
    for (std::uint32_t blob = 0; blob < blobs_.size(); ++blob) {
      auto& member = members_[member_of(host, blob)];
      close_all(member);
      const bool ended =
          member.state == Member::State::done || member.state == Member::State::failed;
      if (!ended) end(member, Member::State::failed);
    }
  }
}

}  // namespace shoal::sim

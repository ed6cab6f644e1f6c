#include "p2p/swarm/transfers.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <boost/asio/post.hpp>

#include "p2p/swarm/piece_filler.h"
#include "p2p/swarm/piece_plan.h"
#include "p2p/swarm/rate_shares.h"

namespace shoal {
namespace {

using Steady = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr unsigned kEnders = 4;
constexpr unsigned kFillsMax = 12;  // Of the workers: some are left to look.
constexpr unsigned kWorkers = 16;   // They wait for most of their time.
constexpr milliseconds kBeat{100};  // Of the watch; longer when there is much to watch.
constexpr milliseconds kBeatOfEach{3};
constexpr std::size_t kLayersAtOnce = 2;
constexpr milliseconds kOldAnswer{1000};  // Of the directory.
constexpr milliseconds kPlanAtMost{30};   // However often readers begin to wait.
constexpr milliseconds kLookFirst{5000};  // For further peers of what moves; doubles.
constexpr milliseconds kLookMax{30'000};  // The directory forgets who fetches after a minute.
constexpr milliseconds kRateOver{1000};
constexpr std::uint64_t kRateMinPerMs = 64;     // Bytes: what a link must do at least.
constexpr milliseconds kPiecePatience{10'000};  // For the check of a piece that came over HTTPS.

constexpr std::size_t kEndedKept = 50;

milliseconds since(Steady::time_point time) {
  return std::chrono::duration_cast<milliseconds>(Steady::now() - time);
}

tl::unexpected<Error> ending() { return fail(Errc::unavailable, "the node is stopping"); }

}  // namespace

struct SwarmTransfers::Going : SwarmGoing {
  std::atomic<bool> doubtful{false};  // Bytes come, and no piece of them is right.
  bool claim_held = true;             // By the node that gave the torrent.
  std::atomic<Steady::time_point> planned{Steady::time_point()};
  bool asks_trackers = false;  // They may know peers that the directory does not.
  // The watching thread's.
  std::uint64_t checked_bytes = 0;  // Of pieces that were found right; when the last one was:
  Steady::time_point checked = Steady::now();
  std::atomic<std::uint64_t> limit{0};
  std::uint64_t seen_bytes = 0;
  std::uint64_t rate_bytes = 0;  // As of then:
  Steady::time_point rate_since = Steady::now();
  Steady::time_point next_look = Steady::now() + kLookFirst;
  milliseconds look_pause = kLookFirst;
  // Guarded by the mutex.
  bool looking = false;
  bool ending = false;
  std::string trouble;          // The last failure of a way to get bytes.
  std::set<std::string> tried;  // Nodes, by BitTorrent.

  std::mutex plan_mutex;
  PiecePlan plan;  // Guarded by its mutex.
};

SwarmTransfers::SwarmTransfers(SwarmTransfersConfig config, SwarmTransfersParts parts)
    : config_(config),
      parts_(parts),
      claims_(parts_.store, parts_.clients, barred_, config_.kind, config_.barred),
      layers_(kLayersAtOnce),
      workers_(kWorkers),
      enders_(kEnders),
      watcher_([this] { watch(); }) {}

SwarmTransfers::~SwarmTransfers() { stop(); }

void SwarmTransfers::interrupt() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    wake_.notify_all();
  }
  layers_.open();
  for (const auto& of : all_going()) {
    failed(of->transfer->torrent().digest, {Errc::unavailable, "the node is stopping"});
  }
}

void SwarmTransfers::stop() {
  interrupt();
  if (watcher_.joinable()) watcher_.join();
  workers_.join();
  enders_.join();
}

SwarmTransfers::GoingPtr SwarmTransfers::going(const Digest& digest) const {
  const std::lock_guard lock(mutex_);
  const auto found = transfers_.find(digest);
  return found == transfers_.end() ? nullptr : found->second;
}

std::shared_ptr<const SwarmGoing> SwarmTransfers::find(const Digest& digest) const {
  return going(digest);
}

std::vector<SwarmTransfers::GoingPtr> SwarmTransfers::all_going() const {
  const std::lock_guard lock(mutex_);
  std::vector<GoingPtr> all;
  for (const auto& [digest, of] : transfers_) all.push_back(of);
  return all;
}

void SwarmTransfers::end_with(const GoingPtr& of, std::function<void()> work) {
  // Posted under the lock: stop() waits for what was posted before it had it.
  const std::lock_guard lock(mutex_);
  if (!std::exchange(of->ending, true)) asio::post(enders_, std::move(work));
}

bool SwarmTransfers::is_ending(const Going& of) const {
  const std::lock_guard lock(mutex_);
  return of.ending || stopping_;
}

SwarmTransfers::Counts SwarmTransfers::counts() const {
  const std::lock_guard lock(mutex_);
  auto counts = counts_;
  counts.now = transfers_.size();
  counts.https_bytes = https_bytes_;
  return counts;
}

std::vector<SwarmEnded> SwarmTransfers::ended() const {
  const std::lock_guard lock(mutex_);
  return {ended_.begin(), ended_.end()};
}

// The beginning of a transfer.

SwarmTransfers::Begun SwarmTransfers::join(const Repository& repository, const Digest& digest,
                                           SwarmClass of_class) {
  return once(digest, of_class, [&] {
    return begin_one(repository, digest, of_class, parts_.directory.join({digest}).front());
  });
}

SwarmTransfers::Begun SwarmTransfers::join(const Repository& repository, const TorrentFile& file) {
  constexpr auto kClass = SwarmClass::demand;
  const auto& digest = file.torrent.digest;
  return once(digest, kClass, [&]() -> Begun {
    if (parts_.store.blobs().stat_any(digest, Wait::yes)) return nullptr;
    return begin_with(repository, {file.torrent, ""}, file.trackers, kClass,
                      parts_.directory.join({digest}).front());
  });
}

SwarmTransfers::Begun SwarmTransfers::once(const Digest& digest, SwarmClass of_class,
                                           const std::function<Begun()>& begin) {
  Start start;
  std::shared_future<Begun> other;
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return ending();
    if (const auto found = transfers_.find(digest); found != transfers_.end()) {
      found->second->transfer->raise(of_class);
      return found->second->transfer;
    }
    const auto [slot, mine] = starts_.try_emplace(digest);
    if (mine) {
      slot->second = start.get_future().share();
    } else {
      other = slot->second;
    }
  }
  if (other.valid()) {
    layers_.hurry(digest);
    return other.get();
  }
  auto begun = begin();
  started(digest, start, begun);
  return begun;
}

void SwarmTransfers::begin(const Repository& repository, const std::vector<Digest>& digests,
                           SwarmClass of_class) {
  std::vector<Digest> wanted;
  std::vector<std::shared_ptr<Start>> starts;
  const std::lock_guard lock(mutex_);
  if (stopping_) return;
  for (const auto& digest : digests) {
    if (transfers_.contains(digest) || starts_.contains(digest)) continue;
    wanted.push_back(digest);
    starts.push_back(std::make_shared<Start>());
    starts_.emplace(digest, starts.back()->get_future().share());
  }
  if (wanted.empty()) return;
  asio::post(workers_, [=, this] { begin_all(repository, wanted, starts, of_class); });
}

void SwarmTransfers::begin_all(const Repository& repository, const std::vector<Digest>& wanted,
                               const std::vector<std::shared_ptr<Start>>& starts,
                               SwarmClass of_class) {
  const auto found = parts_.directory.join(wanted);
  const auto asked = Steady::now();
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const auto begin = [=, this, digest = wanted[i], start = starts[i], where = found[i]] {
      const bool old = since(asked) >= kOldAnswer;
      const auto now = old ? parts_.directory.join({digest}).front() : where;
      started(digest, *start, begin_one(repository, digest, of_class, now));
    };
    layers_.add(wanted[i], [this, begin] { asio::post(workers_, begin); });
  }
}

/// Tells those that wait in join().
void SwarmTransfers::started(const Digest& digest, Start& start, Begun begun) {
  if (!begun) {
    spdlog::debug("no transfer digest={} reason=\"{}\"", digest.to_string(), begun.error().message);
  }
  {
    const std::lock_guard lock(mutex_);
    starts_.erase(digest);
  }
  if (!begun || !*begun) layers_.ripe(digest);
  start.set_value(std::move(begun));
}

SwarmTransfers::Begun SwarmTransfers::begin_one(const Repository& repository, const Digest& digest,
                                                SwarmClass of_class,
                                                const Directory::Found& found) {
  // It may have come since the caller looked.
  if (parts_.store.blobs().stat_any(digest, Wait::yes)) return nullptr;
  const auto claim = claims_.of(digest, found);
  if (!claim) return tl::unexpected(claim.error());
  if (!*claim) return nullptr;
  return begin_with(repository, **claim, {}, of_class, found);
}

SwarmTransfers::Begun SwarmTransfers::begin_with(const Repository& repository,
                                                 const TorrentClaim& claim,
                                                 const std::vector<std::string>& trackers,
                                                 SwarmClass of_class,
                                                 const Directory::Found& found) {
  const auto& torrent = claim.torrent;
  const auto& digest = torrent.digest;
  auto arrival =
      parts_.store.arrivals().open({digest, torrent.size, torrent.piece_bytes, torrent.encode()});
  if (!arrival) return tl::unexpected(arrival.error());

  const auto waiting = [this, digest] {
    const auto of = going(digest);
    if (of && Steady::now() - of->planned.load() >= kPlanAtMost) plan(*of);
  };
  const auto of = std::make_shared<Going>();
  of->claim_held = claim.held;
  of->asks_trackers = !trackers.empty();
  of->transfer =
      std::make_shared<SwarmTransfer>(repository, torrent, claim.from, of_class, *arrival, waiting);
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return ending();
    transfers_[digest] = of;
  }
  parts_.session.remove(digest);  // Of content that was here before, and is gone.
  const auto begun = parts_.session.fetch(torrent, *arrival, {addresses(*of, found), trackers});
  if (!begun) {
    failed(digest, begun.error());
    return tl::unexpected(begun.error());
  }
  if ((*arrival)->arrived_bytes() == torrent.size) finished(digest);
  return of->transfer;
}

/// On any thread.
void SwarmTransfers::plan(Going& of) {
  const auto& digest = of.transfer->torrent().digest;
  of.planned = Steady::now();
  const auto spread = parts_.session.spread(digest);
  const std::lock_guard lock(of.plan_mutex);
  const auto ranks = of.plan.update(of.transfer->waited_for(), of.transfer->arrival()->pieces(),
                                    spread, Steady::now());
  if (!ranks.empty()) parts_.session.rank(digest, ranks);
}

void SwarmTransfers::given(const Digest& digest, const std::vector<std::uint32_t>& pieces) {
  const auto of = going(digest);
  if (!of) return;
  const std::lock_guard lock(of->plan_mutex);
  const auto ranks = of->plan.give(pieces, of->transfer->torrent().piece_count());
  if (!ranks.empty()) parts_.session.rank(digest, ranks);
}

/// How many peers are.
std::size_t SwarmTransfers::connected(const Digest& digest) const {
  const auto counts = parts_.session.counts(digest);
  if (!counts) return 0;
  return static_cast<std::size_t>(std::count_if(counts->peers.begin(), counts->peers.end(),
                                                [](const auto& peer) { return peer.connected; }));
}

/// Of the peers to connect to, as far as there is room for more.
std::vector<std::string> SwarmTransfers::addresses(Going& going, const Directory::Found& found) {
  auto peers = found.holders;
  const auto fetchers = std::min(found.fetchers.size(), config_.fetchers_max);
  peers.insert(peers.end(), found.fetchers.begin(),
               found.fetchers.begin() + static_cast<std::ptrdiff_t>(fetchers));
  std::size_t room = config_.peers_max;
  room -= std::min(room, connected(going.transfer->torrent().digest));
  std::vector<std::string> addresses;
  for (const auto& peer : peers) {
    if (addresses.size() == room) break;
    if (barred_.contains(peer)) continue;
    const auto address = parts_.tunnels.address_of(peer);
    if (!address) continue;
    addresses.push_back(*address);
    const std::lock_guard lock(mutex_);
    going.tried.insert(peer);
  }
  return addresses;
}

/// Why a node that was tried could not be reached; "" if all could.
std::string SwarmTransfers::tunnel_trouble(const Going& of) const {
  std::set<std::string> tried;
  {
    const std::lock_guard lock(mutex_);
    tried = of.tried;
  }
  for (const auto& peer : tried) {
    const auto failure = parts_.tunnels.last_failure(peer);
    if (failure) return failure->message;
  }
  return {};
}

// The end of a transfer.

void SwarmTransfers::piece_arrived(const Digest& digest) {
  if (const auto of = going(digest)) of->transfer->piece_arrived();
}

void SwarmTransfers::finished(const Digest& digest) {
  const auto of = going(digest);
  if (of) end_with(of, [this, of] { commit(of); });
}

void SwarmTransfers::failed(const Digest& digest, const Error& error) {
  const auto of = going(digest);
  if (of) end_with(of, [this, of, error] { end(of, tl::unexpected(error)); });
}

/// The torrent stays in the session, and gives others what they ask for.
void SwarmTransfers::commit(const GoingPtr& of) {
  const auto& transfer = *of->transfer;
  const auto& digest = transfer.torrent().digest;
  const auto committed = transfer.arrival()->commit(transfer.repository());
  if (committed) {
    end(of, {});
    return;
  }
  const auto& error = committed.error();
  if (error.code == Errc::digest_invalid) {
    const auto& source = transfer.claimed_by();
    // One that only passed it on may have been told it.
    const auto duration = of->claim_held ? config_.barred : config_.barred_in_company;
    spdlog::warn("content does not match its digest digest={} torrent_from={} barred_ms={}",
                 digest.to_string(), source.empty() ? "here" : source, duration.count());
    if (!source.empty()) barred_.bar(source, duration);
  }
  end(of, tl::unexpected(error));
}

void SwarmTransfers::end(const GoingPtr& of, Result<void> how, bool discard) {
  const auto& torrent = of->transfer->torrent();
  layers_.ripe(torrent.digest);
  auto ended = ended_now(*of, parts_.session.counts(torrent.digest), parts_.tunnels, how);
  log_end(ended);
  if (!how) parts_.session.remove(torrent.digest);
  // A file may be anybody's: without a right piece it keeps no room, and stands in nobody's way.
  const bool baseless = !how && of->asks_trackers && ended.arrived_bytes == 0;
  if (discard || baseless) {
    const auto discarded = parts_.store.arrivals().discard(torrent.digest);
    if (!discarded) how = tl::unexpected(discarded.error());
  }
  {
    const std::lock_guard lock(mutex_);
    ++(how ? counts_.finished : counts_.failed);
    if (how) counts_.finished_bytes += torrent.size;
    if (!how && how.error().code == Errc::digest_invalid) ++counts_.wrong;
    ended_.push_front(std::move(ended));
    if (ended_.size() > kEndedKept) ended_.pop_back();
    const auto found = transfers_.find(torrent.digest);
    if (found != transfers_.end() && found->second == of) transfers_.erase(found);
  }
  of->transfer->end(std::move(how));
}

// While it goes on.

void SwarmTransfers::watch() {
  std::unique_lock lock(mutex_);
  for (;;) {
    const auto beat = std::max(kBeat, kBeatOfEach * static_cast<int>(transfers_.size()));
    wake_.wait_for(lock, beat, [this] { return stopping_; });
    if (stopping_) return;
    lock.unlock();
    const auto all = all_going();
    limit(all);
    for (const auto& of : all) look_at(of);
    lock.lock();
  }
}

void SwarmTransfers::limit(const std::vector<GoingPtr>& all) {
  std::vector<RateClaim> claims;
  std::uint64_t rate = 0;
  for (const auto& of : all) {
    const bool moves = since(of->moved) < config_.stall;
    claims.push_back({of->transfer->of_class(), moves, of->rate, of->limit});
    rate += of->rate;
  }
  saturated_ = config_.receive_rate > 0 && rate >= config_.receive_rate / 2;
  const auto limits = share_rates(claims, config_.copies_rate);
  for (std::size_t i = 0; i < all.size(); ++i) {
    auto& of = *all[i];
    if (of.limit == limits[i]) continue;
    if (!parts_.session.limit(of.transfer->torrent().digest, limits[i])) continue;
    of.limit = limits[i];
    of.checked = Steady::now();  // What was patience enough may not be now.
  }
}

void SwarmTransfers::look_at(const GoingPtr& of) {
  const auto& digest = of->transfer->torrent().digest;
  const std::uint64_t bytes = parts_.session.received_bytes(digest) + of->https_bytes;
  if (bytes != std::exchange(of->seen_bytes, bytes)) of->moved = Steady::now();
  const auto now = Steady::now();
  if (now - of->rate_since >= kRateOver) {
    const auto elapsed = std::chrono::duration<double>(now - of->rate_since).count();
    of->rate = static_cast<std::uint64_t>(
        static_cast<double>(bytes - std::min(bytes, of->rate_bytes)) / elapsed);
    of->best_rate = std::max(of->best_rate.load(), of->rate.load());
    of->rate_since = now;
    of->rate_bytes = bytes;
  }
  const auto checked = of->transfer->arrival()->arrived_bytes();
  if (checked != std::exchange(of->checked_bytes, checked)) of->checked = now;
  if (checked >= of->transfer->torrent().size * 2 / 3) layers_.ripe(digest);
  const auto still = since(of->moved);
  // Bytes that never make a piece are no progress, however many come.
  const auto unchecked = since(of->checked);
  auto patience = milliseconds(of->transfer->torrent().piece_bytes / kRateMinPerMs);
  if (of->limit > 0) {
    patience += milliseconds(of->transfer->torrent().piece_bytes * 2000 / of->limit);
  }
  of->doubtful = unchecked >= config_.stall * 5 + patience;
  bool looks = false;
  std::string trouble;
  {
    const std::lock_guard lock(mutex_);
    if (of->ending) return;
    trouble = of->trouble;
    const bool due = still >= config_.stall || of->doubtful || Steady::now() >= of->next_look;
    looks = due && !of->looking;
    if (looks) of->looking = true;
  }
  std::string fault;
  if (still >= config_.progress_timeout) {
    fault = fmt::format("no byte of {} came for {} ms", digest.to_string(), still.count());
  } else if (unchecked >= config_.progress_timeout + patience) {
    fault =
        fmt::format("no right piece of {} came for {} ms", digest.to_string(), unchecked.count());
  }
  if (!fault.empty()) {
    if (trouble.empty()) trouble = tunnel_trouble(*of);
    failed(digest, {Errc::timed_out, trouble.empty() ? fault : fault + ": " + trouble});
    return;
  }
  plan(*of);
  if (!looks) return;
  of->look_pause = std::min(of->look_pause * 2, kLookMax);
  of->next_look = Steady::now() + of->look_pause;
  asio::post(workers_, [this, of] { look(of); });
}

/// Asks who has it by now, and goes to holders when nobody gives anything.
void SwarmTransfers::look(const GoingPtr& of) {
  if (!is_ending(*of)) {
    const auto& digest = of->transfer->torrent().digest;
    auto found = parts_.directory.join({digest}).front();
    const bool stuck = of->doubtful || since(of->moved) >= config_.stall;
    if (stuck) {  // Other directory nodes may know others.
      for (const auto& holder : parts_.directory.lookup(digest).holders) {
        const bool known =
            std::find(found.holders.begin(), found.holders.end(), holder) != found.holders.end();
        if (!known) found.holders.push_back(holder);
      }
    }
    for (const auto& address : addresses(*of, found)) parts_.session.connect(digest, address);
    // Slow by order, as long as there is somebody who gives.
    const bool throttled = (of->limit > 0 || saturated_) && !of->doubtful &&
                           since(of->moved) < config_.stall * 5 && connected(digest) > 0;
    if (stuck && !throttled) {
      if (++fills_ <= kFillsMax) {
        fill(of, found);
      } else {
        of->moved = Steady::now();  // Its turn comes.
      }
      --fills_;
    }
  }
  const std::lock_guard lock(mutex_);
  of->looking = false;
}

/// Gets pieces over HTTPS until the swarm gives some again, or nobody does.
void SwarmTransfers::fill(const GoingPtr& of, const Directory::Found& found) {
  const auto& digest = of->transfer->torrent().digest;
  const auto holders = [&] {
    Directory::Found usable = found;
    std::erase_if(usable.holders, [&](const auto& peer) { return barred_.contains(peer); });
    usable.sure = usable.sure && usable.holders.size() == found.holders.size();
    return usable;
  };
  const auto came = [&](std::uint64_t bytes) {
    of->https_bytes += bytes;
    https_bytes_ += bytes;
  };
  const auto swarm_bytes = [&] { return parts_.session.received_bytes(digest); };
  const auto before = swarm_bytes();
  auto filler = PieceFiller::open(parts_.clients, of->transfer, holders);
  std::optional<Error> trouble;
  if (!filler) trouble = filler.error();
  // One piece at least: what holders have shows whether the torrent is true.
  for (bool first = true; !trouble && !is_ending(*of) && (first || swarm_bytes() == before);
       first = false) {
    auto next = filler->next(came);
    if (!next) {
      trouble = next.error();
      break;
    }
    auto& piece = *next;
    if (!piece) return;
    parts_.session.add_piece(digest, piece->index, std::move(piece->bytes));
    if (!of->transfer->wait_for_piece(piece->index, kPiecePatience)) return;
  }
  if (!trouble) return;
  if (trouble->code == Errc::digest_invalid) {
    refuse_claim(of, filler ? filler->sources() : std::set<std::string>(), *trouble);
    return;
  }
  if (trouble->code == Errc::blob_unknown && !of->asks_trackers && !all_about(*of)) {
    failed(digest, *trouble);
    return;
  }
  const std::lock_guard lock(mutex_);
  of->trouble = trouble->message;
}

/// Whether each piece is here or at a peer that is connected.
bool SwarmTransfers::all_about(const Going& of) const {
  const auto pieces = of.transfer->arrival()->pieces();
  const auto spread = parts_.session.spread(of.transfer->torrent().digest);
  for (std::size_t piece = 0; piece < pieces.size(); ++piece) {
    const bool there = piece < spread.availability.size() && spread.availability[piece] > 0;
    if (!pieces[piece] && !there) return false;
  }
  return true;
}

/// The torrent and the holders contradict each other: who is wrong shows the next attempt.
void SwarmTransfers::refuse_claim(const GoingPtr& of, const std::set<std::string>& others,
                                  const Error& why) {
  const auto& transfer = *of->transfer;
  const auto& digest = transfer.torrent().digest;
  auto suspects = others;
  if (!transfer.claimed_by().empty()) suspects = {transfer.claimed_by()};
  for (const auto& suspect : suspects) {
    spdlog::warn("a torrent is refused digest={} suspect={} reason=\"{}\" barred_ms={}",
                 digest.to_string(), suspect, why.message, config_.barred_in_company.count());
    barred_.bar(suspect, config_.barred_in_company);
  }
  end_with(of, [this, of, why] { end(of, tl::unexpected(why), true); });
}

}  // namespace shoal

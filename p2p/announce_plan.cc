#include "p2p/announce_plan.h"

#include <algorithm>
#include <utility>

namespace shoal {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

constexpr milliseconds kRefreshPerPeer{100};
constexpr milliseconds kPausePerPeer{10};
constexpr unsigned kDoublingsMax = 16;
constexpr int kBurst = 8;  // Messages that may leave at once after a silence.

}  // namespace

AnnouncePlan::AnnouncePlan(AnnounceConfig config, std::string self, std::uint64_t boot,
                           std::uint64_t epoch)
    : config_(config),
      self_(std::move(self)),
      boot_(boot),
      next_epoch_(epoch),
      turn_(self_),
      random_(static_cast<std::minstd_rand::result_type>(std::hash<std::string>()(self_) ^ boot)) {}

void AnnouncePlan::start_over(Lane& lane, Time now) {
  lane.pending.clear();
  lane.epoch = next_epoch_++;
  lane.sequence = 0;
  lane.share_wanted = true;
  lane.complete_owed = false;
  lane.acknowledged = false;
  lane.refresh = now + refresh_after();
}

/// Between three and five quarters of the period: nodes that started together drift apart.
AnnouncePlan::Time::duration AnnouncePlan::refresh_after() {
  const milliseconds period =
      config_.refresh + kRefreshPerPeer * static_cast<milliseconds::rep>(lanes_.size());
  return period * 3 / 4 + random_pause(period / 2);
}

AnnouncePlan::Time::duration AnnouncePlan::random_pause(milliseconds max) {
  return milliseconds(std::uniform_int_distribution<milliseconds::rep>(0, max.count())(random_));
}

void AnnouncePlan::start_over(Time now) {
  for (auto& entry : lanes_) start_over(entry.second, now);
}

void AnnouncePlan::restarted(const std::string& peer, std::uint64_t boot, Time now) {
  const auto found = lanes_.find(peer);
  if (found == lanes_.end() || found->second.boot == boot) return;
  start_over(found->second, now);
  found->second.boot = boot;
}

void AnnouncePlan::members(std::vector<std::string> ids, Time now) {
  Rendezvous next(std::move(ids));
  std::erase_if(lanes_, [&next](const auto& entry) { return !next.knows(entry.first); });
  for (const auto& id : next.ids()) {
    const auto [place, is_new] = lanes_.try_emplace(id);
    if (is_new) start_over(place->second, now);
  }
  current_ = std::move(next);
}

void AnnouncePlan::enqueue(Lane& lane, const Digest& digest, bool held, Time due, Time now) {
  lane.due = lane.pending.empty() ? due : std::min(lane.due, due);
  lane.pending.insert_or_assign(digest, held);
  // One that is away starts over when it is back, from what the store holds then.
  if (!served(lane) && lane.pending.size() > config_.queue_max) start_over(lane, now);
}

void AnnouncePlan::changed(const Digest& digest, bool held, Time now) {
  for (const auto index : current_.top(rendezvous_word(digest), kDirectories)) {
    enqueue(lanes_.at(current_.ids()[index]), digest, held, now + config_.linger, now);
  }
}

bool AnnouncePlan::room() const {
  return std::none_of(lanes_.begin(), lanes_.end(), [this](const auto& entry) {
    return served(entry.second) && entry.second.pending.size() + config_.page > config_.queue_max;
  });
}

bool AnnouncePlan::needs_pass() const {
  return current_.ids() != told_.ids() ||
         std::any_of(lanes_.begin(), lanes_.end(), [this](const auto& entry) {
           return entry.second.share_wanted && served(entry.second);
         });
}

std::optional<AnnouncePlan::Wanted> AnnouncePlan::wanted() {
  if (!pass_) {
    if (!needs_pass()) return std::nullopt;
    pass_ = Pass{std::exchange(told_, current_), current_, {}, std::nullopt, {}};
    // Every node begins its pass now, perhaps for the sake of one: it shall not hear all at once.
    pass_->pause = random_pause(kPausePerPeer * static_cast<milliseconds::rep>(lanes_.size()));
    for (auto& [id, lane] : lanes_) {
      if (lane.share_wanted && served(lane)) {
        lane.share_wanted = false;
        pass_->whole.insert(id);
      }
    }
  }
  if (!room()) return std::nullopt;
  return Wanted{pass_->cursor, config_.page};
}

void AnnouncePlan::listed(const Page<Digest>& page, Time now) {
  if (!pass_) return;
  const auto& ids = pass_->to.ids();
  const bool members_changed = pass_->from.ids() != ids;
  for (const auto& digest : page.entries) {
    const auto word = rendezvous_word(digest);
    const auto before =
        members_changed ? pass_->from.top(word, kDirectories) : std::vector<std::uint32_t>();
    for (const auto index : pass_->to.top(word, kDirectories)) {
      const auto& id = ids[index];
      const auto lane = lanes_.find(id);
      if (lane == lanes_.end() || lane->second.share_wanted) continue;  // Gone, or starts over.
      const bool new_here =
          members_changed && std::none_of(before.begin(), before.end(), [&](std::uint32_t other) {
            return pass_->from.ids()[other] == id;
          });
      if (!new_here && !pass_->whole.contains(id)) continue;
      enqueue(lane->second, digest, true, now + config_.interval + pass_->pause, now);
    }
  }
  if (page.entries.empty() || !page.more) return end_pass(now);
  pass_->cursor = page.entries.back();
}

void AnnouncePlan::end_pass(Time now) {
  for (const auto& id : pass_->whole) {
    const auto lane = lanes_.find(id);
    if (lane == lanes_.end() || lane->second.share_wanted) continue;
    lane->second.complete_owed = true;
    lane->second.due = now + pass_->pause;
  }
  pass_.reset();
}

/// When the lane has something to send; nothing: when something happens.
std::optional<AnnouncePlan::Time> AnnouncePlan::due(const Lane& lane) const {
  if (lane.busy) return std::nullopt;
  if (!served(lane)) return lane.not_before;  // To see whether it is back.
  if (lane.pending.size() >= config_.digests_max) return lane.not_before;
  if (lane.complete_owed || !lane.pending.empty()) return std::max(lane.due, lane.not_before);
  if (lane.share_wanted) return std::nullopt;
  return std::max(lane.refresh, lane.not_before);
}

std::optional<AnnouncePlan::Time> AnnouncePlan::next() const {
  std::optional<Time> first;
  for (const auto& entry : lanes_) {
    const auto time = due(entry.second);
    if (time) first = first ? std::min(*first, *time) : time;
  }
  return first ? std::max(*first, tokens_from_) : first;
}

std::optional<AnnouncePlan::Message> AnnouncePlan::take(Time now) {
  if (now < tokens_from_) return std::nullopt;
  // From behind the one that had its turn, around: each node begins elsewhere, at itself.
  const auto is_due = [&](const auto& entry) {
    const auto time = due(entry.second);
    return time && *time <= now;
  };
  const auto start = lanes_.upper_bound(turn_);
  auto found = std::find_if(start, lanes_.end(), is_due);
  if (found == lanes_.end()) {
    found = std::find_if(lanes_.begin(), start, is_due);
    if (found == start) return std::nullopt;
  }
  auto& [id, lane] = *found;
  turn_ = id;
  const auto per_second = static_cast<std::int64_t>(config_.messages_per_second);
  const nanoseconds spacing(1'000'000'000 / per_second);
  tokens_from_ = std::max(tokens_from_, now - spacing * kBurst) + spacing;

  Message message{id, {}};
  auto& announce = message.announce;
  announce.holder = self_;
  announce.boot = boot_;
  announce.epoch = lane.epoch;
  announce.sequence = ++lane.sequence;
  const auto count = std::min(lane.pending.size(), config_.digests_max);
  for (std::size_t i = 0; i < count; ++i) {
    const auto first = lane.pending.begin();
    (first->second ? announce.adds : announce.removes).push_back(first->first);
    lane.pending.erase(first);
  }
  announce.complete = lane.complete_owed && lane.pending.empty();
  if (announce.complete) lane.complete_owed = false;
  lane.busy = true;
  lane.not_before = now + config_.interval;
  return message;
}

void AnnouncePlan::delivered(const Message& message, const AnnounceAnswer& answer, Time now) {
  const auto found = lanes_.find(message.peer);
  if (found == lanes_.end()) return;
  Lane& lane = found->second;
  lane.busy = false;
  lane.failures = 0;
  lane.refresh = now + refresh_after();
  if (message.announce.epoch != lane.epoch) return;  // It has started over meanwhile.
  const bool restarted = lane.boot != 0 && lane.boot != answer.boot;
  lane.boot = answer.boot;
  if (lane.acknowledged && (restarted || answer.fresh)) return start_over(lane, now);
  lane.acknowledged = true;
}

void AnnouncePlan::failed(const Message& message, Time now) {
  const auto found = lanes_.find(message.peer);
  if (found == lanes_.end()) return;
  Lane& lane = found->second;
  lane.busy = false;
  lane.failures = std::min(lane.failures + 1, kDoublingsMax);
  const auto pause = config_.retry_first * (1LL << (lane.failures - 1));
  lane.not_before = now + std::min<milliseconds>(pause, config_.retry_max);
  if (message.announce.epoch != lane.epoch) return;
  // What has changed since then is the last word.
  for (const auto& digest : message.announce.adds) lane.pending.try_emplace(digest, true);
  for (const auto& digest : message.announce.removes) lane.pending.try_emplace(digest, false);
  lane.complete_owed = lane.complete_owed || message.announce.complete;
}

bool AnnouncePlan::settled() const {
  if (pass_ || needs_pass()) return false;
  return std::all_of(lanes_.begin(), lanes_.end(), [this](const auto& entry) {
    const Lane& lane = entry.second;
    return !served(lane) || (!lane.busy && lane.pending.empty() && !lane.complete_owed);
  });
}

AnnouncePlan::Backlog AnnouncePlan::backlog() const {
  Backlog backlog{0, 0};
  for (const auto& entry : lanes_) {
    backlog.digests += entry.second.pending.size();
    backlog.silent += served(entry.second) ? 0 : 1;
  }
  return backlog;
}

}  // namespace shoal

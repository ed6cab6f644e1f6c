#include "p2p/directory_table.h"

#include <algorithm>
#include <utility>

#include <spdlog/spdlog.h>

#include "storage/codec.h"

namespace shoal {
namespace {

constexpr std::size_t kPruneBuckets = 8192;

}  // namespace

// --- Slots ---

std::size_t DirectoryTable::Slots::size() const {
  const auto few = few_.end() - std::find(few_.begin(), few_.end(), 0);
  return few_.size() - static_cast<std::size_t>(few) + (more_ ? more_->size() : 0);
}

bool DirectoryTable::Slots::contains(std::uint32_t slot) const {
  if (std::find(few_.begin(), few_.end(), slot) != few_.end()) return true;
  return more_ && std::find(more_->begin(), more_->end(), slot) != more_->end();
}

bool DirectoryTable::Slots::insert(std::uint32_t slot) {
  for (auto& place : few_) {
    if (place == slot) return false;
    if (place != 0) continue;
    place = slot;
    return true;
  }
  if (!more_) more_ = std::make_unique<std::vector<std::uint32_t>>();
  if (std::find(more_->begin(), more_->end(), slot) != more_->end()) return false;
  more_->push_back(slot);
  return true;
}

bool DirectoryTable::Slots::erase(std::uint32_t slot) {
  const auto place = std::find(few_.begin(), few_.end(), slot);
  if (place == few_.end()) return more_ && std::erase(*more_, slot) > 0;
  std::move(place + 1, few_.end(), place);
  few_.back() = 0;
  if (more_ && !more_->empty()) {
    few_.back() = more_->back();
    more_->pop_back();
  }
  if (more_ && more_->empty()) more_.reset();
  return true;
}

void DirectoryTable::Slots::append_to(std::vector<std::uint32_t>& slots) const {
  for (const auto slot : few_) {
    if (slot != 0) slots.push_back(slot);
  }
  if (more_) slots.insert(slots.end(), more_->begin(), more_->end());
}

bool DirectoryTable::Holder::is_in(const Slots& slots) const {
  return slots.contains(slot) || (previous != 0 && slots.contains(previous));
}

// --- Fetchers ---

void DirectoryTable::Fetchers::add(const Key& key, const std::string& id, Time now,
                                   std::size_t max) {
  if (max == 0) return;
  Node* const node = &*nodes_.try_emplace(id, 0).first;
  const auto found = keys_.find(key);
  if (found != keys_.end()) {
    const auto& list = found->second;
    const auto known = std::find_if(list.begin(), list.end(),
                                    [node](const OfKey& entry) { return entry.node == node; });
    if (known != list.end()) {
      known->place->added = now;
      pairs_.splice(pairs_.end(), pairs_, known->place);
      return;
    }
  }
  pairs_.push_back({key, node, now});
  ++node->second;
  keys_[key].push_back({node, std::prev(pairs_.end()), 0});
  if (pairs_.size() > max) forget(pairs_.begin());
}

void DirectoryTable::Fetchers::remove(const Key& key, const std::string& id) {
  const auto node = nodes_.find(id);
  if (node == nodes_.end()) return;
  const auto found = keys_.find(key);
  if (found == keys_.end()) return;
  const auto& list = found->second;
  const auto known = std::find_if(list.begin(), list.end(),
                                  [&](const OfKey& entry) { return entry.node == &*node; });
  if (known != list.end()) forget(known->place);
}

void DirectoryTable::Fetchers::forget(Place place) {
  const auto found = keys_.find(place->key);
  auto& list = found->second;
  const auto entry = std::find_if(list.begin(), list.end(),
                                  [&](const OfKey& of) { return of.node == place->node; });
  *entry = list.back();  // Their order says nothing.
  list.pop_back();
  if (list.empty()) keys_.erase(found);
  if (--place->node->second == 0) nodes_.erase(nodes_.find(place->node->first));
  pairs_.erase(place);
}

void DirectoryTable::Fetchers::expire(Time until) {
  while (!pairs_.empty() && pairs_.front().added <= until) forget(pairs_.begin());
}

/// Looks at no more of the list than it takes: thousands may fetch the same. Of two that chance
/// picks the one that was named less often comes first: those that ask when many begin at once
/// would else be known to all that come after them, to five times as many as the mean.
std::vector<std::string> DirectoryTable::Fetchers::others(const Key& key, const std::string& id,
                                                          std::size_t max,
                                                          std::minstd_rand& random) {
  std::vector<std::string> ids;
  const auto found = keys_.find(key);
  if (found == keys_.end()) return ids;
  auto& list = found->second;
  for (std::size_t i = 0; i < list.size() && ids.size() < max; ++i) {
    std::uniform_int_distribution<std::size_t> any(i, list.size() - 1);
    const auto one = any(random);
    const auto two = any(random);
    std::swap(list[i], list[list[one].named <= list[two].named ? one : two]);
    if (list[i].node->first == id) continue;
    ids.push_back(list[i].node->first);
    if (ids.size() <= kLookupFetchersFirst) ++list[i].named;
  }
  return ids;
}

// --- DirectoryTable ---

DirectoryTable::DirectoryTable(DirectoryTableConfig config, std::uint64_t boot)
    : config_(config), boot_(boot), random_(static_cast<std::minstd_rand::result_type>(boot)) {}

void DirectoryTable::on_restart(Restarted restarted) {
  const std::lock_guard lock(restarted_mutex_);
  restarted_ = std::move(restarted);
}

DirectoryTable::Key DirectoryTable::key_of(const Digest& digest) {
  const auto hash = digest.hash();
  const std::string_view bytes(reinterpret_cast<const char*>(hash.data()), hash.size());
  return {read_big_endian(bytes),
          read_big_endian(bytes.substr(8)) ^ static_cast<std::uint8_t>(digest.algorithm())};
}

std::uint32_t DirectoryTable::new_slot(const std::string& holder) {
  if (free_slots_.empty()) {
    slots_.push_back(holder);
    return static_cast<std::uint32_t>(slots_.size() - 1);
  }
  const auto slot = free_slots_.back();
  free_slots_.pop_back();
  slots_[slot] = holder;
  return slot;
}

AnnounceAnswer DirectoryTable::apply(const Announce& message, Time now) {
  AnnounceAnswer answer;
  answer.boot = boot_;
  bool restarted = false;
  {
    const std::lock_guard lock(mutex_);
    const auto [place, is_new] = holders_.try_emplace(message.holder);
    Holder& holder = place->second;
    if (is_new) holder.absent = now;  // live() knows better.
    restarted = !is_new && holder.boot != message.boot;
    if (!is_new && !restarted) {
      if (message.epoch < holder.epoch) return answer;
      if (message.epoch == holder.epoch && message.sequence <= holder.sequence) return answer;
    }
    if (is_new || restarted || message.epoch != holder.epoch) {
      if (holder.previous != 0) sweep({holder.previous});
      holder.previous = std::exchange(holder.slot, new_slot(message.holder));
      holder.boot = message.boot;
      holder.epoch = message.epoch;
      answer.fresh = true;
    }
    holder.sequence = message.sequence;
    for (const auto& digest : message.adds) {
      add(holder, digest, answer.full);
      fetchers_.remove(key_of(digest), message.holder);
    }
    for (const auto& digest : message.removes) remove(holder, digest);
    if (message.complete && holder.previous != 0) sweep({std::exchange(holder.previous, 0)});
  }
  if (restarted) {
    const std::lock_guard lock(restarted_mutex_);
    if (restarted_) restarted_(message.holder, message.boot);
  }
  return answer;
}

void DirectoryTable::add(Holder& holder, const Digest& digest, bool& full) {
  const auto key = key_of(digest);
  if (entries_ >= config_.entries_max) {
    const auto found = digests_.find(key);
    const bool replaces =
        found != digests_.end() && holder.previous != 0 && found->second.erase(holder.previous);
    if (!replaces) {
      full = true;
      if (refused_++ == 0) {
        spdlog::warn("directory full entries={} further content is found by asking every node",
                     entries_);
      }
      return;
    }
    --entries_;
  }
  auto& slots = digests_[key];
  if (holder.previous != 0 && slots.erase(holder.previous)) --entries_;
  if (slots.insert(holder.slot)) ++entries_;
}

void DirectoryTable::remove(const Holder& holder, const Digest& digest) {
  const auto found = digests_.find(key_of(digest));
  if (found == digests_.end()) return;
  if (found->second.erase(holder.slot)) --entries_;
  if (holder.previous != 0 && found->second.erase(holder.previous)) --entries_;
  if (found->second.empty()) digests_.erase(found);
}

void DirectoryTable::sweep(const std::vector<std::uint32_t>& slots) {
  for (auto entry = digests_.begin(); entry != digests_.end();) {
    for (const auto slot : slots) {
      if (entry->second.erase(slot)) --entries_;
    }
    entry = entry->second.empty() ? digests_.erase(entry) : std::next(entry);
  }
  for (const auto slot : slots) {
    slots_[slot].clear();
    free_slots_.push_back(slot);
  }
}

void DirectoryTable::expire_fetchers(Time now) { fetchers_.expire(now - config_.fetch_memory); }

bool DirectoryTable::prune_some(const Rendezvous& peers, const std::string& self,
                                std::size_t count) {
  const std::size_t end = std::min(prune_at_ + kPruneBuckets, digests_.bucket_count());
  std::vector<Key> foreign;
  for (; prune_at_ < end; ++prune_at_) {
    for (auto entry = digests_.begin(prune_at_); entry != digests_.end(prune_at_); ++entry) {
      const auto top = peers.top(entry->first.word, count);
      const bool ours = std::any_of(
          top.begin(), top.end(), [&](std::uint32_t index) { return peers.ids()[index] == self; });
      if (!ours) foreign.push_back(entry->first);
    }
  }
  for (const auto& key : foreign) {
    const auto entry = digests_.find(key);
    entries_ -= entry->second.size();
    digests_.erase(entry);
  }
  return prune_at_ >= digests_.bucket_count();
}

LookupAnswer DirectoryTable::lookup(const std::vector<Digest>& digests, const std::string& asker,
                                    Time now) {
  LookupAnswer answer;
  answer.boot = boot_;
  answer.age =
      std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - started_);
  answer.holders.resize(digests.size());
  answer.fetchers.resize(digests.size());
  const std::lock_guard lock(mutex_);
  const auto asking = holders_.find(asker);
  if (!asker.empty()) expire_fetchers(now);
  for (std::size_t i = 0; i < digests.size(); ++i) {
    const auto key = key_of(digests[i]);
    const auto found = digests_.find(key);
    if (!asker.empty()) {
      // A holder that fetches it again is named as one already.
      const bool holds = asking != holders_.end() && found != digests_.end() &&
                         asking->second.is_in(found->second);
      if (!holds) fetchers_.add(key, asker, now, config_.fetchers_max);
      answer.fetchers[i] = fetchers_.others(key, asker, kLookupFetchersMax, random_);
    }
    if (found == digests_.end()) continue;
    std::vector<std::uint32_t> slots;
    found->second.append_to(slots);
    if (slots.size() > kLookupHoldersMax) {  // All holders get their turn.
      std::shuffle(slots.begin(), slots.end(), random_);
      slots.resize(kLookupHoldersMax);
    }
    for (const auto slot : slots) answer.holders[i].push_back(slots_[slot]);
  }
  return answer;
}

std::optional<DirectoryTable::Time> DirectoryTable::live(const Rendezvous& peers,
                                                         const std::string& self, std::size_t count,
                                                         Time now) {
  const std::lock_guard lock(mutex_);
  std::optional<Time> next;
  const auto call_at = [&next](Time time) { next = next ? std::min(*next, time) : time; };

  std::vector<std::uint32_t> gone;
  for (auto entry = holders_.begin(); entry != holders_.end();) {
    Holder& holder = entry->second;
    if (peers.knows(entry->first)) {
      holder.absent.reset();
    } else if (!holder.absent) {
      holder.absent = now;
    }
    if (!holder.absent || now - *holder.absent < config_.grace) {
      if (holder.absent) call_at(*holder.absent + config_.grace);
      ++entry;
      continue;
    }
    gone.push_back(holder.slot);
    if (holder.previous != 0) gone.push_back(holder.previous);
    entry = holders_.erase(entry);
  }
  if (!gone.empty()) sweep(gone);
  expire_fetchers(now);  // For their memory alone: no need to be called for it.

  if (peers.ids() != known_live_ && peers.knows(self)) {
    known_live_ = peers.ids();
    prune_ = now + config_.grace;
    prune_at_ = 0;
  }
  if (prune_ && now >= *prune_ && prune_some(peers, self, count)) prune_.reset();
  if (prune_) call_at(*prune_);
  return next;
}

DirectoryTable::Usage DirectoryTable::usage() const {
  const std::lock_guard lock(mutex_);
  return {digests_.size(), entries_, holders_.size(), refused_, fetchers_.size()};
}

}  // namespace shoal

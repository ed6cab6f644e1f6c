// Eviction: what goes first when the quota is nearly used up (Collector::evict, and the notes of
// use that it goes by).
//
// Content stands in table `l` under the hour of its last known use, so the order of keys is the
// order of eviction. Uses are noted in memory and written once a minute, and only when they change
// the hour: a popular layer costs one write an hour. Evicted content keeps its links: a push, a
// peer or an upstream can bring it back under the same names.

#include "storage/collector.h"
#include "storage/core.h"
#include "storage/keys.h"

namespace shoal {
namespace {

constexpr std::size_t kNotesMax = 100'000;
constexpr std::size_t kBatch = 256;
constexpr int kDepthMax = 4;  // Indexes in indexes.

std::uint64_t hour_of(UnixTime time) {
  return static_cast<std::uint64_t>(time.time_since_epoch().count()) / 3600;
}

/// Whether a tag of the repository reaches the content, over manifests and indexes.
Result<bool> tag_reaches(const Database& db, const std::string& repository, const Digest& digest,
                         int depth) {
  auto tagged = db.any(keys::tags_of(repository, digest));
  if (!tagged || *tagged || depth == 0) return tagged;
  std::vector<Digest> parents;
  const auto scanned =
      db.scan(keys::parents(repository, digest), "", [&](std::string_view key, std::string_view) {
        const auto parent = Digest::from_key(key);
        if (parent) parents.push_back(*parent);
        return true;
      });
  if (!scanned) return tl::unexpected(scanned.error());
  for (const auto& parent : parents) {
    auto reached = tag_reaches(db, repository, parent, depth - 1);
    if (!reached || *reached) return reached;
  }
  return false;
}

/// Whether the configuration lets this content go. Manifests always stay: they are small, and
/// without them nobody knows what to bring back.
Result<bool> evictable(const StoreCore& core, const Digest& digest) {
  const auto pinned = core.db->get(keys::of_digest('p', digest), Wait::yes);
  if (!pinned) return tl::unexpected(pinned.error());
  if (*pinned) return false;
  std::vector<std::string> holders;
  const auto scanned =
      core.db->scan(keys::holders(digest), "", [&](std::string_view key, std::string_view) {
        holders.emplace_back(key);
        return true;
      });
  if (!scanned) return tl::unexpected(scanned.error());
  for (const auto& holder : holders) {
    if (holder[0] == 'm') return false;
    if (core.config.eviction == Eviction::all) continue;
    const auto reached = tag_reaches(*core.db, holder.substr(1), digest, kDepthMax);
    if (!reached) return tl::unexpected(reached.error());
    if (*reached) return false;
  }
  return true;
}

struct Entry {
  std::string key;
  std::uint64_t hour;
  Digest digest;
};

/// Whether the content was used since, and stands under a later hour, too.
Result<bool> is_stale(const StoreCore& core, const Entry& entry) {
  const auto moved = core.db->get(keys::of_digest('a', entry.digest), Wait::yes);
  if (!moved) return tl::unexpected(moved.error());
  return *moved && read_big_endian(**moved) != entry.hour;
}

/// Whether somebody outside of the store needs this copy. Asked without a lock, since the answer
/// may take a while, and only about what would go otherwise.
Result<bool> is_needed_elsewhere(const StoreCore& core, const Entry& entry) {
  if (!core.config.expendable) return false;
  const auto stale = is_stale(core, entry);
  if (!stale) return tl::unexpected(stale.error());
  if (*stale) return false;
  const auto may_go = evictable(core, entry.digest);
  if (!may_go) return tl::unexpected(may_go.error());
  return *may_go && !core.config.expendable(entry.digest);
}

/// Evicts what one entry names, if it may go; corrects the entry if it is out of date.
Result<std::uint64_t> evict_entry(StoreCore& core, const Entry& entry, CollectReport& report) {
  const auto lock = core.lock(entry.digest);
  const auto content = load_content(core, entry.digest, Wait::yes);
  if (!content) return tl::unexpected(content.error());
  const auto stale = is_stale(core, entry);
  if (!stale) return tl::unexpected(stale.error());
  Change change;
  std::uint64_t id = 0;
  if (!*content || *stale) {
    change.erase(entry.key);
    if (!*content) change.erase(keys::of_digest('a', entry.digest));
  } else {
    const auto may_go = evictable(core, entry.digest);
    if (!may_go) return tl::unexpected(may_go.error());
    if (!*may_go || !core.leases.condemn(entry.digest, false)) return 0;
    id = drop_content(change, entry.digest, (*content)->record, core.clock.now());
    change.erase(entry.key);
    change.erase(keys::of_digest('a', entry.digest));
    report.bytes_freed += (*content)->record.stored_bytes;
    ++report.evicted;
  }
  const bool condemned = *content && !*stale;
  const auto applied = core.db->apply(std::move(change));
  if (condemned) core.leases.absolve(entry.digest);
  if (!applied) return tl::unexpected(applied.error());
  return id;
}

}  // namespace

void note_use(StoreCore& core, const Digest& digest) {
  if (!core.evicts()) return;
  const std::lock_guard lock(core.used_mutex);
  if (core.used.size() < kNotesMax) core.used.insert(digest);
}

Result<void> flush_uses(StoreCore& core) {
  std::unordered_set<Digest> used;
  {
    const std::lock_guard lock(core.used_mutex);
    used.swap(core.used);
  }
  const std::uint64_t hour = hour_of(core.clock.now());
  for (const auto& digest : used) {
    const auto lock = core.lock(digest);
    const auto content = load_content(core, digest, Wait::yes);
    if (!content) return tl::unexpected(content.error());
    if (!*content) continue;
    const auto noted = core.db->get(keys::of_digest('a', digest), Wait::yes);
    if (!noted) return tl::unexpected(noted.error());
    const std::uint64_t former =
        *noted ? read_big_endian(**noted) : hour_of((*content)->record.created);
    if (former == hour) continue;
    std::string value;
    append_big_endian(value, hour);
    Change change;
    change.erase(keys::used(former, digest));
    change.put(keys::used(hour, digest), "");
    change.put(keys::of_digest('a', digest), value);
    const auto applied = core.db->apply(std::move(change));
    if (!applied) return tl::unexpected(applied.error());
  }
  return {};
}

Result<CollectReport> Collector::evict() {
  CollectReport report;
  const auto above = [&](double watermark) {
    const std::uint64_t used = core_.db->counters().stored_bytes + core_.upload_bytes;
    return static_cast<double>(used) > watermark * static_cast<double>(core_.config.quota_bytes);
  };
  if (!core_.evicts() || !above(core_.config.high_watermark)) return report;
  const std::lock_guard one(core_.evicting);
  const auto flushed = flush_uses(core_);
  if (!flushed) return tl::unexpected(flushed.error());

  std::string after;
  for (bool more = true; more && above(core_.config.low_watermark);) {
    std::vector<Entry> batch;
    const auto scanned = core_.db->scan("l", after, [&](std::string_view rest, std::string_view) {
      const auto digest = Digest::from_key(rest.substr(std::min<std::size_t>(8, rest.size())));
      if (digest) batch.push_back({'l' + std::string(rest), read_big_endian(rest), *digest});
      after = rest;
      return batch.size() < kBatch;
    });
    if (!scanned) return tl::unexpected(scanned.error());
    more = batch.size() == kBatch;
    std::vector<std::uint64_t> freed;
    for (const auto& entry : batch) {
      if (!above(core_.config.low_watermark)) break;
      ++report.examined;
      const auto needed = is_needed_elsewhere(core_, entry);
      if (!needed) return tl::unexpected(needed.error());
      if (*needed) continue;
      const auto id = evict_entry(core_, entry, report);
      if (!id) return tl::unexpected(id.error());
      freed.push_back(*id);
    }
    const auto durable = core_.db->commit(Change());  // Waits for all that was applied before it.
    if (!durable) return tl::unexpected(durable.error());
    const auto done = free_content(core_, freed);
    if (!done) return tl::unexpected(done.error());
  }
  return report;
}

}  // namespace shoal

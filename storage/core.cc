#include "storage/core.h"

#include "storage/disk_space.h"
#include "storage/keys.h"

namespace shoal {
namespace {

std::uint64_t seconds(UnixTime time) {
  return static_cast<std::uint64_t>(time.time_since_epoch().count());
}

Event event_of(EventKind kind, UnixTime now, const Digest& digest, std::uint64_t size) {
  Event event;
  event.kind = kind;
  event.time = now;
  event.digest = digest;
  event.size = size;
  return event;
}

}  // namespace

Result<std::optional<LoadedContent>> load_content(const StoreCore& core, const Digest& digest,
                                                  Wait wait) {
  auto bytes = core.db->get_pinned(Family::content, digest.key(), wait);
  if (!bytes) return tl::unexpected(bytes.error());
  if (!*bytes) return std::nullopt;
  const auto record = ContentRecord::decode((*bytes)->view());
  if (!record) return tl::unexpected(record.error());
  return LoadedContent{std::move(**bytes), *record};
}

Result<void> check_room(StoreCore& core, std::uint64_t bytes) {
  const auto fits = [&] {
    const std::uint64_t stored =
        core.db->counters().stored_bytes + core.upload_bytes + core.arrival_bytes;
    return core.config.quota_bytes == 0 || stored + bytes <= core.config.quota_bytes;
  };
  if (!fits()) {
    const auto evicted = Collector(core).evict();
    if (!evicted) return tl::unexpected(evicted.error());
    if (!fits()) {
      return fail(Errc::quota_exceeded,
                  "the quota of " + std::to_string(core.config.quota_bytes) +
                      " bytes is used up: remove images and run `shoal gc --now`, or raise "
                      "store.quota");
    }
  }
  return check_free(core.config.directory, bytes, core.config.reserve_bytes);
}

void add_content(StoreCore& core, Change& change, const Digest& digest,
                 const ContentRecord& record) {
  change.put(digest.key(), record.encode(), Family::content);
  if (record.content_id != 0) change.put(keys::numbered('i', record.content_id), digest.key());
  change.put(keys::used(seconds(record.created) / 3600, digest), "");
  change.moved.blobs += 1;
  change.moved.content_bytes += record.size;
  change.moved.stored_bytes += record.stored_bytes;
  if (core.db->counters().quarantined > 0) {
    const auto bad = core.db->get(keys::of_digest('x', digest), Wait::yes);
    if (bad && *bad) {  // Good content has come for what was found bad.
      change.erase(keys::of_digest('x', digest));
      change.moved.quarantined -= 1;
    }
  }
}

std::uint64_t drop_content(Change& change, const Digest& digest, const ContentRecord& record,
                           UnixTime now) {
  change.erase(digest.key(), Family::content);
  change.moved.blobs -= 1;
  change.moved.content_bytes -= record.size;
  change.moved.stored_bytes -= record.stored_bytes;
  change.report(event_of(EventKind::blob_drop, now, digest, record.size));
  // The entry by use may stand under a later hour; eviction erases what it finds without content.
  change.erase(keys::used(seconds(record.created) / 3600, digest));
  if (record.content_id != 0) change.erase(keys::numbered('i', record.content_id));
  change.erase(keys::of_digest('d', digest));
  return record.content_id;
}

Result<void> free_content(StoreCore& core, const std::vector<std::uint64_t>& ids) {
  for (const std::uint64_t id : ids) {
    if (id == 0) continue;
    const auto dropped = core.content->drop(id);
    if (!dropped) return tl::unexpected(dropped.error());
  }
  return {};
}

void link(Change& change, const Repository& repository, const Digest& digest, char kind,
          std::string value) {
  change.put(keys::repository(kind, repository.text()) + digest.key(), std::move(value));
  change.put(keys::holder(digest, kind, repository.text()), "");
}

Result<void> unlink(StoreCore& core, Change& change, const Repository& repository,
                    const Digest& digest, char kind, std::vector<std::uint64_t>& freed) {
  change.erase(keys::repository(kind, repository.text()) + digest.key());
  change.erase(keys::holder(digest, kind, repository.text()));

  const std::string own = kind + repository.text();
  bool held = false;
  const auto scanned =
      core.db->scan(keys::holders(digest), "", [&](std::string_view rest, std::string_view) {
        held = rest != own;
        return !held;
      });
  if (!scanned) return scanned;
  if (held) return {};
  const auto content = load_content(core, digest, Wait::yes);
  if (!content) return tl::unexpected(content.error());
  if (*content) freed.push_back(drop_content(change, digest, (*content)->record, core.clock.now()));
  return {};
}

void enqueue(Change& change, UnixTime due, const Digest& digest, char kind,
             const Repository& repository, Reason reason) {
  change.put(keys::candidate(seconds(due), digest, kind, repository.text()),
             std::string(1, static_cast<char>(reason)));
}

Result<BlobInfo> publish_blob(StoreCore& core, const Repository& repository, const Digest& digest,
                              const ContentRecord& record, const Publication& publication) {
  Change change;
  std::uint64_t surplus = 0;
  BlobInfo info{digest, record.size, record.stored_bytes};
  Result<std::uint64_t> ticket = 0;
  {
    const auto repository_lock = core.lock(repository);
    const auto digest_lock = core.lock(digest);
    const auto existing = load_content(core, digest, Wait::yes);
    if (!existing) return tl::unexpected(existing.error());
    const auto linked = core.db->get(keys::blob(repository.text(), digest), Wait::yes);
    if (!linked) return tl::unexpected(linked.error());

    if (*existing) {
      info.stored_bytes = (*existing)->record.stored_bytes;
      surplus = record.content_id;
    } else if (!publication.written) {
      return fail(Errc::blob_unknown, "the content was deleted meanwhile");
    } else {
      add_content(core, change, digest, record);
      if (!publication.attachment.empty()) {
        change.put(keys::of_digest('d', digest), publication.attachment);
      }
    }
    if (!*linked) {
      link(change, repository, digest, 'b', "");
      enqueue(change, core.clock.now() + core.config.gc_grace, digest, 'b', repository,
              Reason::fresh);
    }
    if (!*linked || !*existing) {
      Event event = event_of(EventKind::blob_push, core.clock.now(), digest, record.size);
      event.repository = repository.text();
      change.report(std::move(event));
    }
    if (!publication.source.empty()) change.erase(publication.source);
    std::ignore = core.leases.touch(digest);  // Nobody condemns it while we hold its lock.
    ticket = core.db->apply(std::move(change));
  }
  if (!ticket) return tl::unexpected(ticket.error());
  const auto durable = core.db->sync(*ticket);
  if (!durable) return tl::unexpected(durable.error());
  const auto freed = free_content(core, {surplus});
  if (!freed) return tl::unexpected(freed.error());
  return info;
}

Result<void> quarantine(StoreCore& core, const Digest& digest, std::uint64_t content_id,
                        const std::string& reason) {
  std::uint64_t id = 0;
  Result<std::uint64_t> ticket = 0;
  {
    const auto digest_lock = core.lock(digest);
    const auto content = load_content(core, digest, Wait::yes);
    if (!content) return tl::unexpected(content.error());
    if (!*content || (*content)->record.content_id != content_id) return {};
    const UnixTime now = core.clock.now();
    const std::uint64_t size = (*content)->record.size;
    Change change;
    id = drop_content(change, digest, (*content)->record, now);
    change.put(keys::of_digest('x', digest), QuarantineRecord{size, now, reason}.encode());
    change.moved.quarantined += 1;
    change.report(event_of(EventKind::quarantine, now, digest, size));
    ticket = core.db->apply(std::move(change));
  }
  if (!ticket) return tl::unexpected(ticket.error());
  const auto durable = core.db->sync(*ticket);
  if (!durable) return durable;
  return free_content(core, {id});
}

}  // namespace shoal

#include "storage/manifests.h"

#include <set>

#include "storage/core.h"
#include "storage/disk_space.h"
#include "storage/keys.h"

namespace shoal {
namespace {

std::string describe(const ManifestReference& reference) {
  if (const auto* tag = std::get_if<Tag>(&reference)) return "tag '" + tag->text() + "'";
  return std::get<Digest>(reference).to_string();
}

/// manifest_unknown, or name_unknown when the repository has nothing at all.
Error not_found(const Database& db, const Repository& repository,
                const ManifestReference& reference, Wait wait) {
  const auto known = db.get(keys::catalog(repository.text()), wait);
  if (!known) return known.error();
  if (!*known) {
    return {Errc::name_unknown, "repository '" + repository.text() + "' is not known here"};
  }
  return {Errc::manifest_unknown,
          "repository '" + repository.text() + "' has no manifest " + describe(reference)};
}

Event event_in(const Repository& repository, EventKind kind, UnixTime now, const Digest& digest) {
  Event event;
  event.kind = kind;
  event.time = now;
  event.repository = repository.text();
  event.digest = digest;
  return event;
}

struct Found {
  Digest digest;
  BlobBytes bytes;  // Of the record.
  ManifestRecord record;
};

Result<Found> find(const Database& db, const Repository& repository,
                   const ManifestReference& reference, Wait wait) {
  std::optional<Digest> digest;
  if (const auto* tag = std::get_if<Tag>(&reference)) {
    const auto entry = db.get_pinned(Family::index, keys::tag(repository, tag->text()), wait);
    if (!entry) return tl::unexpected(entry.error());
    if (!*entry) return tl::unexpected(not_found(db, repository, reference, wait));
    const auto record = TagRecord::decode((*entry)->view());
    if (!record) return tl::unexpected(record.error());
    digest = record->digest;
  } else {
    digest = std::get<Digest>(reference);
  }
  auto bytes = db.get_pinned(Family::index, keys::manifest(repository.text(), *digest), wait);
  if (!bytes) return tl::unexpected(bytes.error());
  if (!*bytes) return tl::unexpected(not_found(db, repository, reference, wait));
  const auto record = ManifestRecord::decode((*bytes)->view());
  if (!record) return tl::unexpected(record.error());
  return Found{*digest, std::move(**bytes), *record};
}

ManifestInfo info_of(const Found& found) {
  return {found.digest, std::string(found.record.media_type), found.record.size,
          found.record.pushed};
}

/// Content that the manifest needs and the repository does not have.
Result<std::vector<Digest>> missing(StoreCore& core, const Repository& repository,
                                    const ManifestFacts& facts) {
  const Database& db = *core.db;
  std::vector<Digest> absent;
  for (const auto& reference : facts.references) {
    if (!reference.required) continue;
    // The lease keeps an eviction away until the manifest stands.
    const bool leased = core.leases.touch(reference.digest);
    bool here = false;
    for (const char kind : {'b', 'm'}) {
      const auto linked =
          db.get(keys::repository(kind, repository.text()) + reference.digest.key(), Wait::yes);
      if (!linked) return tl::unexpected(linked.error());
      here = here || *linked;
    }
    if (here && leased) {
      const auto content = db.get_pinned(Family::content, reference.digest.key(), Wait::yes);
      if (!content) return tl::unexpected(content.error());
      here = content->has_value();
    }
    if (!here || !leased) absent.push_back(reference.digest);
  }
  return absent;
}

/// Moves the tag to `digest`; what it named before may now be untagged.
Result<void> set_tag(StoreCore& core, Change& change, const Repository& repository, const Tag& tag,
                     const Digest& digest, UnixTime now) {
  const auto former = core.db->get(keys::tag(repository, tag.text()), Wait::yes);
  if (!former) return tl::unexpected(former.error());
  if (*former) {
    const auto record = TagRecord::decode(**former);
    if (!record) return tl::unexpected(record.error());
    if (record->digest != digest) {
      change.erase(keys::tags_of(repository.text(), record->digest) + tag.text());
      if (core.config.untagged_ttl) {
        enqueue(change, now + *core.config.untagged_ttl, record->digest, 'm', repository,
                Reason::untagged);
      }
    }
  }
  change.put(keys::tag(repository, tag.text()), TagRecord{digest, now}.encode());
  change.put(keys::tags_of(repository.text(), digest) + tag.text(), "");
  Event event = event_in(repository, EventKind::tag, now, digest);
  event.tag = tag.text();
  change.report(std::move(event));
  return {};
}

/// Takes the tag away from `digest`, which may now be untagged.
void drop_tag(StoreCore& core, Change& change, const Repository& repository, const Tag& tag,
              const Digest& digest, UnixTime now) {
  change.erase(keys::tag(repository, tag.text()));
  change.erase(keys::tags_of(repository.text(), digest) + tag.text());
  if (core.config.untagged_ttl) {
    enqueue(change, now + *core.config.untagged_ttl, digest, 'm', repository, Reason::untagged);
  }
  Event event = event_in(repository, EventKind::untag, now, digest);
  event.tag = tag.text();
  change.report(std::move(event));
}

}  // namespace

Result<ManifestInfo> Manifests::put(const Repository& repository, const Digest& digest,
                                    std::string_view content, const ManifestFacts& facts,
                                    const std::vector<Tag>& tags) {
  const auto room = check_room(core_, content.size());
  if (!room) return tl::unexpected(room.error());
  const UnixTime now = core_.clock.now();
  Result<std::uint64_t> ticket = 0;
  {
    const auto repository_lock = core_.lock(repository);
    const auto digest_lock = core_.lock(digest);
    const auto absent = missing(core_, repository, facts);
    if (!absent) return tl::unexpected(absent.error());
    if (!absent->empty()) {
      std::string names;
      for (const auto& blob : *absent) names += (names.empty() ? "" : ", ") + blob.to_string();
      return fail(Errc::manifest_blob_unknown,
                  "not in repository '" + repository.text() + "': " + names);
    }
    Change change;
    const auto known = core_.db->get(keys::catalog(repository.text()), Wait::yes);
    if (!known) return tl::unexpected(known.error());
    if (!*known) {
      change.put(
          keys::catalog(repository.text()),
          RecordWriter().number(static_cast<std::uint64_t>(now.time_since_epoch().count())).take());
    }
    const auto stored = core_.db->get_pinned(Family::content, digest.key(), Wait::yes);
    if (!stored) return tl::unexpected(stored.error());
    if (!*stored) {
      ContentRecord record;
      record.size = record.stored_bytes = content.size();
      record.created = now;
      record.inline_bytes = content;
      add_content(core_, change, digest, record);
    }
    const auto former = core_.db->get(keys::manifest(repository.text(), digest), Wait::yes);
    if (!former) return tl::unexpected(former.error());
    link(change, repository, digest, 'm', ManifestRecord::encode(facts, content.size(), now));
    for (const auto& reference : facts.references) {
      change.put(keys::parent(repository.text(), reference.digest, digest), "");
    }
    if (facts.subject) {
      change.put(keys::referrers(repository.text(), *facts.subject) + digest.key(),
                 encode_referrer(facts, content.size()));
    }
    if (!*former && tags.empty() && core_.config.untagged_ttl) {
      enqueue(change, now + *core_.config.untagged_ttl, digest, 'm', repository, Reason::untagged);
    }
    Event event = event_in(repository, EventKind::manifest_push, now, digest);
    event.media_type = facts.media_type;
    event.size = content.size();
    change.report(std::move(event));
    const std::set<Tag> distinct(tags.begin(), tags.end());
    for (const auto& tag : distinct) {
      const auto set = set_tag(core_, change, repository, tag, digest, now);
      if (!set) return tl::unexpected(set.error());
    }
    std::ignore = core_.leases.touch(digest);  // Nobody condemns it while we hold its lock.
    ticket = core_.db->apply(std::move(change));
  }
  if (!ticket) return tl::unexpected(ticket.error());
  const auto durable = core_.db->sync(*ticket);
  if (!durable) return tl::unexpected(durable.error());
  return ManifestInfo{digest, facts.media_type, content.size(), now};
}

Result<ManifestInfo> Manifests::stat(const Repository& repository,
                                     const ManifestReference& reference, Wait wait) {
  const auto found = find(*core_.db, repository, reference, wait);
  if (!found) return tl::unexpected(found.error());
  // A client that saw it may name it in an index; see Blobs::stat() for the order.
  if (!core_.leases.touch(found->digest)) {
    return fail(Errc::manifest_unknown, "manifest " + found->digest.to_string() + " is unknown");
  }
  return info_of(*found);
}

Result<Manifests::Stored> Manifests::get(const Repository& repository,
                                         const ManifestReference& reference, Wait wait) {
  const auto found = find(*core_.db, repository, reference, wait);
  if (!found) return tl::unexpected(found.error());
  auto content = load_content(core_, found->digest, wait);
  if (!content) return tl::unexpected(content.error());
  if (!*content) return tl::unexpected(not_found(*core_.db, repository, reference, wait));
  BlobBytes bytes = std::move((*content)->bytes);
  const std::string_view inside = (*content)->record.inline_bytes;
  bytes.narrow(static_cast<std::size_t>(inside.data() - bytes.view().data()), inside.size());
  return Stored{info_of(*found), std::move(bytes)};
}

Result<void> remove_manifest(StoreCore& core, Change& change, const Repository& repository,
                             const Digest& digest, std::vector<std::uint64_t>& freed) {
  const auto found = find(*core.db, repository, digest, Wait::yes);
  if (!found) return tl::unexpected(found.error());
  const auto links = found->record.links();
  if (!links) return tl::unexpected(links.error());
  const UnixTime now = core.clock.now();
  const std::string& name = repository.text();

  const auto untagged =
      core.db->scan(keys::tags_of(name, digest), "", [&](std::string_view tag, std::string_view) {
        change.erase(keys::tag(repository, std::string(tag)));
        change.erase(keys::tags_of(name, digest) + std::string(tag));
        Event event = event_in(repository, EventKind::untag, now, digest);
        event.tag = tag;
        change.report(std::move(event));
        return true;
      });
  if (!untagged) return untagged;
  for (const auto& child : links->references) {
    change.erase(keys::parent(name, child, digest));
    const auto is_manifest = core.db->get(keys::manifest(name, child), Wait::yes);
    if (!is_manifest) return tl::unexpected(is_manifest.error());
    enqueue(change, now, child, *is_manifest ? 'm' : 'b', repository, Reason::orphaned);
  }
  if (links->subject) change.erase(keys::referrers(name, *links->subject) + digest.key());
  // What refers to it (signatures, attestations) lives as long as it does.
  const auto referrers =
      core.db->scan(keys::referrers(name, digest), "", [&](std::string_view key, std::string_view) {
        const auto referrer = Digest::from_key(key);
        if (referrer) enqueue(change, now, *referrer, 'm', repository, Reason::orphaned);
        return true;
      });
  if (!referrers) return referrers;

  const auto unlinked = unlink(core, change, repository, digest, 'm', freed);
  if (!unlinked) return unlinked;
  bool others = false;
  const auto scanned =
      core.db->scan(keys::repository('m', name), "", [&](std::string_view key, std::string_view) {
        others = key != digest.key();
        return !others;
      });
  if (!scanned) return scanned;
  if (!others) change.erase(keys::catalog(name));
  change.report(event_in(repository, EventKind::manifest_delete, now, digest));
  return {};
}

namespace {

/// Removes the manifest if `allowed` says so; says whether it did.
template <class Allowed>
Result<bool> remove_if(StoreCore& core, const Repository& repository, const Digest& digest,
                       const Allowed& allowed) {
  std::vector<std::uint64_t> freed;
  Result<std::uint64_t> ticket = 0;
  {
    const auto repository_lock = core.lock(repository);
    const auto digest_lock = core.lock(digest);
    Change change;
    const Result<bool> wanted = allowed();
    if (!wanted || !*wanted) return wanted;
    const auto removed = remove_manifest(core, change, repository, digest, freed);
    if (!removed) return tl::unexpected(removed.error());
    ticket = core.db->apply(std::move(change));
  }
  if (!ticket) return tl::unexpected(ticket.error());
  const auto durable = core.db->sync(*ticket);
  if (!durable) return tl::unexpected(durable.error());
  core.poke();  // What it named can be collected.
  const auto done = free_content(core, freed);
  if (!done) return tl::unexpected(done.error());
  return true;
}

}  // namespace

Result<void> Manifests::remove(const Repository& repository, const Digest& digest) {
  const auto removed = remove_if(core_, repository, digest, []() -> Result<bool> { return true; });
  if (!removed) return tl::unexpected(removed.error());
  return {};
}

Result<bool> Manifests::remove_unused(const Repository& repository, const Digest& digest) {
  return remove_if(core_, repository, digest, [&]() -> Result<bool> {
    for (const auto& prefix :
         {keys::tags_of(repository.text(), digest), keys::parents(repository.text(), digest)}) {
      const auto used = core_.db->any(prefix);
      if (!used) return tl::unexpected(used.error());
      if (*used) return false;
    }
    return true;
  });
}

Result<void> Manifests::untag(const Repository& repository, const Tag& tag) {
  Result<std::uint64_t> ticket = 0;
  {
    const auto repository_lock = core_.lock(repository);
    const auto found = find(*core_.db, repository, tag, Wait::yes);
    if (!found) return tl::unexpected(found.error());
    Change change;
    drop_tag(core_, change, repository, tag, found->digest, core_.clock.now());
    ticket = core_.db->apply(std::move(change));
  }
  if (!ticket) return tl::unexpected(ticket.error());
  return core_.db->sync(*ticket);
}

Result<bool> Manifests::move_tag(const Repository& repository, const Tag& tag,
                                 const std::optional<Digest>& former,
                                 const std::optional<Digest>& next) {
  Result<std::uint64_t> ticket = 0;
  {
    const auto repository_lock = core_.lock(repository);
    const auto entry = core_.db->get(keys::tag(repository, tag.text()), Wait::yes);
    if (!entry) return tl::unexpected(entry.error());
    std::optional<Digest> stands;
    if (*entry) {
      const auto record = TagRecord::decode(**entry);
      if (!record) return tl::unexpected(record.error());
      stands = record->digest;
    }
    if (stands != former) return false;
    if (former == next) return true;
    const UnixTime now = core_.clock.now();
    Change change;
    if (next) {
      const auto found = find(*core_.db, repository, *next, Wait::yes);
      if (!found) return tl::unexpected(found.error());
      const auto set = set_tag(core_, change, repository, tag, *next, now);
      if (!set) return tl::unexpected(set.error());
    } else {
      drop_tag(core_, change, repository, tag, *former, now);
    }
    ticket = core_.db->apply(std::move(change));
  }
  if (!ticket) return tl::unexpected(ticket.error());
  const auto durable = core_.db->sync(*ticket);
  if (!durable) return tl::unexpected(durable.error());
  return true;
}

Result<bool> Manifests::names(const Repository& repository, const Digest& digest) {
  return core_.db->any(keys::parents(repository.text(), digest));
}

}  // namespace shoal

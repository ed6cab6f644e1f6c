#include "storage/blobs.h"

#include <algorithm>
#include <utility>

#include "storage/core.h"
#include "storage/keys.h"
#include "storage/places.h"

namespace shoal {
namespace {

tl::unexpected<Error> unknown(const Digest& digest) {
  return fail(Errc::blob_unknown, "no blob " + digest.to_string() + " is held here");
}

BlobInfo info_of(const Digest& digest, const ContentRecord& record) {
  return {digest, record.size, record.stored_bytes};
}

struct SharedHolder : BlobBytes::Holder {
  explicit SharedHolder(std::shared_ptr<const LoadedContent> shared) : content(std::move(shared)) {}
  std::shared_ptr<const LoadedContent> content;
};

/// Content that is inside its record, which is in memory.
class InlineReader : public BlobReader {
 public:
  InlineReader(const Digest& digest, LoadedContent content)
      : info_(info_of(digest, content.record)),
        content_(std::make_shared<const LoadedContent>(std::move(content))) {}

  const BlobInfo& info() const override { return info_; }

  Result<BlobBytes> read(std::uint64_t offset, std::size_t max, Wait) override {
    const std::size_t count = std::min<std::size_t>(max, kChunkBytes);
    return BlobBytes(std::make_unique<SharedHolder>(content_),
                     content_->record.inline_bytes.substr(offset, count));
  }

 private:
  BlobInfo info_;
  std::shared_ptr<const LoadedContent> content_;
};

/// Content in segments; the pin keeps them from being dropped.
class SegmentReader : public BlobReader {
 public:
  SegmentReader(StoreCore& core, const Digest& digest, const ContentRecord& record, Places places,
                std::shared_ptr<void> pin)
      : core_(core),
        info_(info_of(digest, record)),
        id_(record.content_id),
        places_(std::move(places)),
        pin_(std::move(pin)) {}

  const BlobInfo& info() const override { return info_; }

  Result<BlobBytes> read(std::uint64_t offset, std::size_t max, Wait wait) override {
    if (wait == Wait::no) return fail(Errc::would_block, "segments are read from the disk");
    const std::uint64_t unit = places_.unit_bytes();
    const std::uint64_t start = offset / unit * unit;
    auto bytes = core_.content->read(id_, places_.value_at(offset));
    const std::uint64_t expected = std::min(unit, info_.size - start);
    if (bytes && bytes->view().size() != expected) {
      bytes = fail(Errc::corrupt, "a chunk of the content has the wrong length");
    }
    if (bytes) {
      bytes->narrow(offset - start, max);
      return bytes;
    }
    if (bytes.error().code == Errc::corrupt) {
      const auto done = quarantine(core_, info_.digest, id_, bytes.error().message);
      if (!done) return tl::unexpected(done.error());
    }
    return bytes;
  }

 private:
  StoreCore& core_;
  BlobInfo info_;
  std::uint64_t id_;
  Places places_;
  std::shared_ptr<void> pin_;
};

}  // namespace

BlobBytes::BlobBytes() = default;
BlobBytes::BlobBytes(std::unique_ptr<Holder> holder, std::string_view bytes)
    : holder_(std::move(holder)), bytes_(bytes) {}
BlobBytes::~BlobBytes() = default;
BlobBytes::BlobBytes(BlobBytes&&) noexcept = default;
BlobBytes& BlobBytes::operator=(BlobBytes&&) noexcept = default;

void BlobBytes::narrow(std::size_t offset, std::size_t max) { bytes_ = bytes_.substr(offset, max); }

Result<BlobInfo> Blobs::stat(const Repository& repository, const Digest& digest, Wait wait) {
  const std::string key = keys::blob(repository.text(), digest);
  const auto linked = core_.db->get(key, wait);
  if (!linked) return tl::unexpected(linked.error());
  if (!*linked) return unknown(digest);
  const auto info = stat_any(digest, wait);
  if (!info) return info;
  // Leased, and then looked at again: a collector that did not see the lease has finished by now.
  if (!core_.leases.touch(digest)) return unknown(digest);
  const auto still = core_.db->get(key, wait);
  if (!still) return tl::unexpected(still.error());
  if (!*still) return unknown(digest);
  return info;
}

Result<std::shared_ptr<BlobReader>> Blobs::open(const Repository& repository, const Digest& digest,
                                                Wait wait) {
  const auto linked = core_.db->get(keys::blob(repository.text(), digest), wait);
  if (!linked) return tl::unexpected(linked.error());
  if (!*linked) return unknown(digest);
  return open_any(digest, wait);
}

Result<BlobInfo> Blobs::stat_any(const Digest& digest, Wait wait) {
  const auto content = load_content(core_, digest, wait);
  if (!content) return tl::unexpected(content.error());
  if (!*content) return unknown(digest);
  return info_of(digest, (*content)->record);
}

Result<BlobInfo> Blobs::keep(const Digest& digest, Wait wait) {
  const auto info = stat_any(digest, wait);
  if (!info) return info;
  if (!core_.leases.touch(digest)) return unknown(digest);
  return stat_any(digest, wait);  // See stat().
}

Result<std::shared_ptr<BlobReader>> Blobs::open_any(const Digest& digest, Wait wait) {
  auto reader = open_content(core_, digest, wait);
  if (reader) note_use(core_, digest);
  return reader;
}

Result<std::shared_ptr<BlobReader>> open_content(StoreCore& core, const Digest& digest, Wait wait) {
  auto content = load_content(core, digest, wait);
  if (!content) return tl::unexpected(content.error());
  if (!*content) return unknown(digest);
  const ContentRecord record = (*content)->record;
  if (record.content_id == 0) {
    return std::make_shared<InlineReader>(digest, std::move(**content));
  }
  auto pin = core.content->pin(record.content_id);
  // A drop that did not see the pin has taken the record away by now: look again.
  const auto still = load_content(core, digest, wait);
  if (!still) return tl::unexpected(still.error());
  if (!*still || (*still)->record.content_id != record.content_id) return unknown(digest);
  auto places = Places::decode((*still)->record.places);
  if (!places) return tl::unexpected(places.error());
  return std::make_shared<SegmentReader>(core, digest, record, *std::move(places), std::move(pin));
}

Result<BlobInfo> Blobs::mount(const Repository& repository, const Digest& digest,
                              const std::optional<Repository>& from) {
  if (from) {
    const auto source = core_.db->get(keys::blob(from->text(), digest), Wait::yes);
    if (!source) return tl::unexpected(source.error());
    if (!*source) return unknown(digest);
  }
  Result<std::uint64_t> ticket = 0;
  BlobInfo info{digest, 0, 0};
  {
    const auto repository_lock = core_.lock(repository);
    const auto digest_lock = core_.lock(digest);
    const auto content = load_content(core_, digest, Wait::yes);
    if (!content) return tl::unexpected(content.error());
    if (!*content) return unknown(digest);
    info = info_of(digest, (*content)->record);
    std::ignore = core_.leases.touch(digest);  // Nobody condemns it while we hold its lock.
    const auto linked = core_.db->get(keys::blob(repository.text(), digest), Wait::yes);
    if (!linked) return tl::unexpected(linked.error());
    if (*linked) return info;

    const UnixTime now = core_.clock.now();
    Change change;
    link(change, repository, digest, 'b', "");
    enqueue(change, now + core_.config.gc_grace, digest, 'b', repository, Reason::fresh);
    Event event;
    event.kind = EventKind::blob_mount;
    event.time = now;
    event.repository = repository.text();
    event.digest = digest;
    event.size = info.size;
    if (from) event.from = from->text();
    change.report(std::move(event));
    ticket = core_.db->apply(std::move(change));
  }
  if (!ticket) return tl::unexpected(ticket.error());
  const auto durable = core_.db->sync(*ticket);
  if (!durable) return tl::unexpected(durable.error());
  return info;
}

Result<void> Blobs::remove(const Repository& repository, const Digest& digest) {
  std::vector<std::uint64_t> freed;
  Result<std::uint64_t> ticket = 0;
  {
    const auto repository_lock = core_.lock(repository);
    const auto digest_lock = core_.lock(digest);
    const auto linked = core_.db->get(keys::blob(repository.text(), digest), Wait::yes);
    if (!linked) return tl::unexpected(linked.error());
    if (!*linked) return unknown(digest);
    Change change;
    Event event;
    event.kind = EventKind::blob_delete;
    event.time = core_.clock.now();
    event.repository = repository.text();
    event.digest = digest;
    change.report(std::move(event));
    const auto unlinked = unlink(core_, change, repository, digest, 'b', freed);
    if (!unlinked) return unlinked;
    ticket = core_.db->apply(std::move(change));
  }
  if (!ticket) return tl::unexpected(ticket.error());
  const auto durable = core_.db->sync(*ticket);
  if (!durable) return durable;
  return free_content(core_, freed);
}

Result<void> Blobs::attach(const Digest& digest, std::string text) {
  const auto digest_lock = core_.lock(digest);
  const auto content = load_content(core_, digest, Wait::yes);
  if (!content) return tl::unexpected(content.error());
  if (!*content) return unknown(digest);
  Change change;
  change.put(keys::of_digest('d', digest), std::move(text));
  const auto applied = core_.db->apply(std::move(change));
  if (!applied) return tl::unexpected(applied.error());
  return {};
}

Result<std::optional<std::string>> Blobs::attachment(const Digest& digest) const {
  return core_.db->get(keys::of_digest('d', digest), Wait::yes);
}

Result<void> Blobs::pin(const Digest& digest, bool pinned) {
  Change change;
  if (pinned) {
    change.put(keys::of_digest('p', digest), "");
  } else {
    change.erase(keys::of_digest('p', digest));
  }
  return core_.db->commit(std::move(change));
}

}  // namespace shoal

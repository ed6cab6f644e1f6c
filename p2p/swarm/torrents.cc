#include "p2p/swarm/torrents.h"

#include <utility>

#include <spdlog/spdlog.h>

namespace shoal {
namespace {

constexpr std::size_t kEventsAtOnce = 512;
constexpr std::size_t kReadBytes = 256 << 10;

tl::unexpected<Error> ending() { return fail(Errc::unavailable, "the node is stopping"); }

}  // namespace

Torrents::Torrents(Store& store, TorrentKind kind, Gone gone)
    : store_(store), kind_(kind), gone_(std::move(gone)) {
  subscription_ = store_.events().subscribe([this] {
    const std::lock_guard lock(mutex_);
    woken_ = true;
    changed_.notify_all();
  });
  follower_ = std::thread([this] { follow(); });
}

Torrents::~Torrents() { stop(); }

void Torrents::stop() {
  subscription_.reset();
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  if (follower_.joinable()) follower_.join();
}

bool Torrents::stopping() const {
  const std::lock_guard lock(mutex_);
  return stopping_;
}

Result<std::optional<Torrent>> Torrents::kept(const Digest& digest) {
  const auto text = store_.blobs().attachment(digest);
  if (!text) return tl::unexpected(text.error());
  if (!*text) return std::nullopt;
  auto torrent = Torrent::parse(digest, **text);
  if (!torrent || torrent->kind() != kind_) return std::nullopt;
  return *std::move(torrent);
}

Result<std::shared_ptr<BlobReader>> Torrents::open(const Digest& digest) {
  auto reader = store_.blobs().open_any(digest, Wait::yes);
  if (reader && (*reader)->info().size < kSwarmBytesMin) {
    return fail(Errc::unsupported, digest.to_string() + " is too small to be shared by torrent");
  }
  return reader;
}

Result<std::optional<Torrent>> Torrents::made(const Digest& digest) {
  const auto reader = open(digest);
  if (!reader) return tl::unexpected(reader.error());
  return kept(digest);
}

Result<Torrent> Torrents::make(const Digest& digest, BlobReader& reader) {
  const auto size = reader.info().size;
  TorrentMaker maker(digest, size, kind_);
  for (std::uint64_t at = 0; at < size;) {
    if (stopping()) return ending();
    const auto bytes = reader.read(at, kReadBytes, Wait::yes);
    if (!bytes) return tl::unexpected(bytes.error());
    maker.update(bytes->view());
    at += bytes->view().size();
  }
  auto torrent = maker.finish();
  const auto attached = store_.blobs().attach(digest, torrent.encode());
  if (!attached) return tl::unexpected(attached.error());
  return torrent;
}

Result<Torrent> Torrents::of(const Digest& digest) {
  const auto reader = open(digest);
  if (!reader) return tl::unexpected(reader.error());
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return stopping_ || !making_.contains(digest); });
    if (stopping_) return ending();
    making_.insert(digest);
  }
  auto found = kept(digest);
  auto torrent = found && *found ? Result<Torrent>(**std::move(found)) : make(digest, **reader);
  const std::lock_guard lock(mutex_);
  making_.erase(digest);
  changed_.notify_all();
  return torrent;
}

void Torrents::follow() {
  auto followed = store_.events().last();
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return stopping_ || woken_; });
      if (stopping_) return;
      woken_ = false;
    }
    followed = follow_from(followed);
  }
}

/// Returns how far it came.
std::uint64_t Torrents::follow_from(std::uint64_t sequence) {
  for (;;) {
    const auto events = store_.events().after(sequence, kEventsAtOnce);
    // What was missed gets its torrent when somebody asks for it.
    if (!events) return store_.events().last();
    if (events->empty()) return sequence;
    for (const auto& event : *events) {
      sequence = event.sequence;
      if (!event.digest) continue;
      const bool gone = event.kind == EventKind::blob_drop || event.kind == EventKind::quarantine;
      if (gone) gone_(*event.digest);
      const bool shared = event.kind == EventKind::blob_push && event.size >= kSwarmBytesMin;
      if (!shared || stopping()) continue;
      const auto made = of(*event.digest);
      if (!made && made.error().code != Errc::blob_unknown) {
        spdlog::warn("no torrent made digest={} error=\"{}\"", event.digest->to_string(),
                     made.error().message);
      }
    }
  }
}

}  // namespace shoal

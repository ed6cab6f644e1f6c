#include "p2p/swarm/seeds.h"

#include <set>
#include <utility>
#include <vector>

namespace shoal {

SwarmSeeds::SwarmSeeds(Store& store, SwarmSession& session, TorrentKind kind,
                       std::chrono::milliseconds idle, Arriving arriving)
    : store_(store),
      session_(session),
      idle_(idle),
      arriving_(std::move(arriving)),
      torrents_(store, kind, [this](const Digest& digest) {
        if (!arriving_(digest)) session_.remove(digest);
      }) {}

SwarmSeeds::~SwarmSeeds() { stop(); }

void SwarmSeeds::touch(const Digest& digest) {
  const std::lock_guard lock(mutex_);
  uses_[digest].last = Steady::now();
}

Result<void> SwarmSeeds::prepare(const Digest& digest) {
  if (session_.has(digest)) {
    touch(digest);
    return {};
  }
  auto torrent = torrents_.of(digest);
  if (!torrent) return tl::unexpected(torrent.error());
  auto reader = store_.blobs().open_any(digest, Wait::yes);
  if (!reader) return tl::unexpected(reader.error());
  const auto seeded = session_.seed(*std::move(torrent), *std::move(reader));
  // Another request was faster.
  if (!seeded && seeded.error().code != Errc::conflict) return seeded;
  touch(digest);
  return {};
}

void SwarmSeeds::drop_idle() {
  const auto shared = session_.list();
  {
    const std::lock_guard lock(mutex_);
    const std::set<Digest> known(shared.begin(), shared.end());
    std::erase_if(uses_, [&](const auto& entry) { return !known.contains(entry.first); });
  }
  std::vector<Digest> idle;
  for (const auto& digest : shared) {
    if (arriving_(digest)) continue;
    const auto counts = session_.counts(digest);
    const auto bytes = counts ? counts->sent_bytes : 0;
    const std::lock_guard lock(mutex_);
    auto& use = uses_[digest];
    if (bytes != std::exchange(use.sent_bytes, bytes)) use.last = Steady::now();
    if (Steady::now() - use.last < idle_) continue;
    idle.push_back(digest);
  }
  for (const auto& digest : idle) session_.remove(digest);
}

}  // namespace shoal

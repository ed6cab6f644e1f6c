#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <thread>

#include "p2p/torrent.h"
#include "storage/store.h"

namespace shoal {

/// The torrents of the content that a store holds: kept with it, and made where there is none yet.
/// What is pushed gets its torrent at once, by a thread of its own, so that the first who asks does
/// not wait for it.
///
/// Thread-safe.
class Torrents {
 public:
  /// Content is not here any more: it was deleted, evicted or found to be damaged. On the thread.
  using Gone = std::function<void(const Digest& digest)>;

  /// `store` must outlive it. One of another kind, kept from before, is made anew.
  Torrents(Store& store, TorrentKind kind, Gone gone);
  /// Calls stop().
  ~Torrents();

  /// Reads all of the content when it has none yet, once for all that ask. Blocks. Fails with
  /// blob_unknown, unsupported (too small to be shared by torrent), unavailable (after stop()),
  /// corrupt or io.
  [[nodiscard]] Result<Torrent> of(const Digest& digest);
  /// The same without reading the content: nothing if the torrent is still to be made. Blocks on
  /// the disk for a moment alone.
  [[nodiscard]] Result<std::optional<Torrent>> made(const Digest& digest);

  /// Ends what is under way. Blocks; idempotent.
  void stop();

 private:
  [[nodiscard]] Result<std::shared_ptr<BlobReader>> open(const Digest& digest);
  /// Nothing, too, for one that cannot be read, or is of another kind.
  [[nodiscard]] Result<std::optional<Torrent>> kept(const Digest& digest);
  [[nodiscard]] Result<Torrent> make(const Digest& digest, BlobReader& reader);
  void follow();
  [[nodiscard]] std::uint64_t follow_from(std::uint64_t sequence);
  [[nodiscard]] bool stopping() const;

  Store& store_;
  const TorrentKind kind_;
  const Gone gone_;

  mutable std::mutex mutex_;  // Guards what follows.
  std::condition_variable changed_;
  bool stopping_ = false;
  bool woken_ = false;
  std::set<Digest> making_;
  std::shared_ptr<void> subscription_;
  std::thread follower_;
};

}  // namespace shoal

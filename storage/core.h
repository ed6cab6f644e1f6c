#pragma once

// What the parts of the store share. Private to storage/: others see store.h and the parts' own
// headers.
//
// Locks. Changes that depend on what they read hold the stripe of their repository, then that of a
// digest, always in this order, over reads and Database::apply() but never over a sync or over the
// bytes of a segment. Readers take none.

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "storage/content.h"
#include "storage/database.h"
#include "storage/leases.h"
#include "storage/records.h"
#include "storage/store.h"

namespace shoal {

/// Content of at most so many bytes is kept in its record: it goes through the log, as metadata do.
inline constexpr std::uint64_t kInlineBytes = 64 << 10;

/// Mutexes by name: two names may share one.
class Stripes {
 public:
  [[nodiscard]] std::unique_lock<std::mutex> lock(std::size_t hash) {
    return std::unique_lock(mutexes_[hash % mutexes_.size()]);
  }

 private:
  std::array<std::mutex, 128> mutexes_;
};

/// Why something stands in the queue for collection. Stored: never renumber.
enum class Reason : std::uint8_t {
  fresh = 1,     // Pushed, and nothing has named it yet.
  orphaned = 2,  // What named it was deleted.
  untagged = 3,  // A manifest without a tag: kept for untagged_ttl.
};

/// A content record with the memory it points into.
struct LoadedContent {
  BlobBytes bytes;
  ContentRecord record;
};

struct StoreCore {
  StoreCore(const StoreConfig& store_config, const Clock& store_clock)
      : config(store_config), clock(store_clock), leases(config.gc_grace, clock) {}

  const StoreConfig config;
  const Clock& clock;
  std::unique_ptr<Database> db;
  std::unique_ptr<Content> content;
  Leases leases;
  Stripes repositories;
  Stripes digests;
  std::atomic<std::uint64_t> uploads{0};        // Open sessions,
  std::atomic<std::uint64_t> upload_bytes{0};   // and the bytes in them.
  std::atomic<std::uint64_t> arrivals{0};       // Contents on their way,
  std::atomic<std::uint64_t> arrival_bytes{0};  // and what they will have when they are here.
  std::function<void()> poke = [] {};           // Wakes the background thread. Set before any use.

  std::mutex evicting;  // One eviction at a time.

  // Content that was read since the last flush_uses(), for least-recently-used eviction.
  std::mutex used_mutex;
  std::unordered_set<Digest> used;

  [[nodiscard]] std::unique_lock<std::mutex> lock(const Repository& name) {
    return repositories.lock(std::hash<std::string>()(name.text()));
  }
  [[nodiscard]] std::unique_lock<std::mutex> lock(const Digest& digest) {
    return digests.lock(std::hash<Digest>()(digest));
  }
  [[nodiscard]] bool evicts() const {
    return config.quota_bytes > 0 && config.eviction != Eviction::none;
  }
};

/// Nothing if there is no such content.
[[nodiscard]] Result<std::optional<LoadedContent>> load_content(const StoreCore& core,
                                                                const Digest& digest, Wait wait);

/// Opens content without counting as a use of it. Fails with blob_unknown, would_block or io.
[[nodiscard]] Result<std::shared_ptr<BlobReader>> open_content(StoreCore& core,
                                                               const Digest& digest, Wait wait);

/// Fails with disk_full or quota_exceeded when `bytes` more cannot be stored (after eviction).
[[nodiscard]] Result<void> check_room(StoreCore& core, std::uint64_t bytes);

/// Adds content that is new to the store to the change. Under the digest's lock.
void add_content(StoreCore& core, Change& change, const Digest& digest,
                 const ContentRecord& record);

/// Takes content out of the store. Under the digest's lock. Returns the content id (0: none) that
/// free_content() is to be called with once the change is durable, and not before: a power loss may
/// bring the record back.
[[nodiscard]] std::uint64_t drop_content(Change& change, const Digest& digest,
                                         const ContentRecord& record, UnixTime now);

/// Frees the segments of dropped contents (0: none); those that are being read when their reader is
/// gone. A kill before that loses nothing: open() frees segments that no record names.
[[nodiscard]] Result<void> free_content(StoreCore& core, const std::vector<std::uint64_t>& ids);

/// Adds the link of a repository to content: `kind` is 'b' (blob) or 'm' (manifest: `value` is its
/// record). Under the repository's and the digest's lock.
void link(Change& change, const Repository& repository, const Digest& digest, char kind,
          std::string value);

/// Takes that link away, and the content with it when no other link is left: then its id is added
/// to `freed` for free_content(). Under the repository's and the digest's lock.
[[nodiscard]] Result<void> unlink(StoreCore& core, Change& change, const Repository& repository,
                                  const Digest& digest, char kind,
                                  std::vector<std::uint64_t>& freed);

/// Puts a link into the queue for collection.
void enqueue(Change& change, UnixTime due, const Digest& digest, char kind,
             const Repository& repository, Reason reason);

/// Removes a manifest with its tags and back references, and queues what it named. Under the
/// repository's and the digest's lock. Fails with manifest_unknown.
[[nodiscard]] Result<void> remove_manifest(StoreCore& core, Change& change,
                                           const Repository& repository, const Digest& digest,
                                           std::vector<std::uint64_t>& freed);

/// How content came here, for publish_blob().
struct Publication {
  /// All segments of the record are ingested; without that, content that is not stored already
  /// fails with blob_unknown.
  bool written = true;
  std::string source = {};      // The key of the upload or arrival that this ends; "": none.
  std::string attachment = {};  // Stays with new content; "": none.
};

/// Makes `record` the content of `digest` and links it into `repository`. Durable on return. If the
/// content is stored already, that stays and the record's segments are freed.
[[nodiscard]] Result<BlobInfo> publish_blob(StoreCore& core, const Repository& repository,
                                            const Digest& digest, const ContentRecord& record,
                                            const Publication& publication);

/// Takes content that does not match its digest out of service, if it is still the one with this
/// content id.
[[nodiscard]] Result<void> quarantine(StoreCore& core, const Digest& digest,
                                      std::uint64_t content_id, const std::string& reason);

/// Remembers that content was used, and writes what was remembered; for eviction.
void note_use(StoreCore& core, const Digest& digest);
[[nodiscard]] Result<void> flush_uses(StoreCore& core);

/// The tables of sessions and arrivals; they load what a former process left.
[[nodiscard]] Result<std::unique_ptr<Uploads>> open_uploads(StoreCore& core);
[[nodiscard]] Result<std::unique_ptr<Arrivals>> open_arrivals(StoreCore& core);

}  // namespace shoal

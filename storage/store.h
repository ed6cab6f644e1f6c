#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>

#include "storage/arrivals.h"
#include "storage/blobs.h"
#include "storage/clock.h"
#include "storage/collector.h"
#include "storage/events.h"
#include "storage/manifests.h"
#include "storage/scrubber.h"
#include "storage/uploads.h"

namespace shoal {

/// What may be evicted when the quota's high watermark is passed, least recently used first.
enum class Eviction {
  none,      // Nothing: pushes are refused at the quota.
  untagged,  // Content that no tag reaches.
  all,       // Any content that is not pinned: for nodes whose peers or upstream can give it again.
};

struct StoreConfig {
  std::filesystem::path directory;
  std::uint64_t segment_bytes = 32 << 20;  // The unit of storage and of resume.
  std::uint64_t cache_bytes = 16 << 20;    // RocksDB's block cache.
  std::uint64_t quota_bytes = 0;           // Stored bytes at most; 0 is no quota.
  double high_watermark = 0.9;             // Of the quota: eviction starts above,
  double low_watermark = 0.8;              // and stops below.
  Eviction eviction = Eviction::none;
  std::uint64_t reserve_bytes = 64 << 20;  // Free disk space below which writes are refused.
  std::chrono::seconds upload_ttl = std::chrono::hours(24);  // Idle sessions expire.
  std::chrono::seconds gc_grace = std::chrono::hours(1);     // Leases; fresh content nobody names.
  std::optional<std::chrono::seconds> untagged_ttl = std::chrono::hours(24 * 14);
  std::uint64_t events_kept = 100'000;
  std::uint64_t scrub_bytes_per_second = 20 << 20;  // 0: no background scrub.
  /// Asked before content is evicted; false keeps it (a node that has the cluster's last copies
  /// says so). Null: everything may go. Called on the background thread, or on that of a push that
  /// found the quota used up, without any lock of the store, and about the same content again in
  /// every round: it may block, but should know its answers. Must outlive the store.
  std::function<bool(const Digest&)> expendable = {};
};

/// Bytes and counts, exact. Reading them costs nothing.
struct Usage {
  std::uint64_t blobs;
  std::uint64_t content_bytes;  // What clients pushed, each blob once.
  std::uint64_t stored_bytes;   // What it takes on disk.
  std::uint64_t uploads;        // Open sessions.
  std::uint64_t upload_bytes;   // Bytes in them.
  std::uint64_t arrivals;       // Contents on their way here,
  std::uint64_t arrival_bytes;  // and their bytes, those included that are still to come.
  std::uint64_t quarantined;    // Blobs.
  std::uint64_t quota_bytes;    // 0: none.
  std::uint64_t disk_free_bytes;
};

/// The content store of one node: blobs, uploads, arrivals, manifests and tags, in one folder. Owns
/// all its parts and their background thread. Thread-safe; see each part for what may block.
class Store {
 public:
  /// Opens or creates the store, removes what an interrupted process left half done, and starts the
  /// background work (collection, expiry, scrub, eviction). `clock` must outlive the store.
  /// Fails with unavailable when another process holds the folder, else with io or corrupt.
  [[nodiscard]] static Result<std::unique_ptr<Store>> open(const StoreConfig& config,
                                                           const Clock& clock = Clock::system());
  /// Ends background work and closes. Uploads, arrivals and readers must be gone.
  ~Store();

  [[nodiscard]] Blobs& blobs();
  [[nodiscard]] Uploads& uploads();
  [[nodiscard]] Arrivals& arrivals();
  [[nodiscard]] Manifests& manifests();
  [[nodiscard]] Events& events();
  [[nodiscard]] Collector& collector();
  [[nodiscard]] Scrubber& scrubber();
  [[nodiscard]] Usage usage() const;

 private:
  Store();
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace shoal

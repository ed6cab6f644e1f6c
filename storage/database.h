#pragma once

#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/blobs.h"
#include "storage/events.h"
#include "storage/records.h"

namespace rocksdb {
class ColumnFamilyHandle;
class DB;
}  // namespace rocksdb

namespace shoal {

/// The column families: keys.h, content records by digest key, and the change feed by sequence
/// number. The feed is pruned by range, and every read of a family passes the marks of the ranges
/// that were deleted in it: alone, it slows nobody.
enum class Family { index, content, feed };

/// Puts and erases that become visible, and later durable, together, with the events that report
/// them and the counters that they move. A plain value.
class Change {
 public:
  void put(std::string key, std::string value, Family family = Family::index);
  void erase(std::string key, Family family = Family::index);
  void report(Event event) { events_.push_back(std::move(event)); }
  [[nodiscard]] bool empty() const { return operations_.empty() && events_.empty(); }

  /// What it adds to the counters; unsigned wrap-around makes a subtraction.
  Counters moved;

 private:
  friend class Database;
  struct Operation {
    Family family;
    std::string key;
    std::optional<std::string> value;  // Nothing: erase.
  };
  std::vector<Operation> operations_;
  std::vector<Event> events_;  // Without their sequence numbers, which apply() assigns.
};

/// The metadata of the store: a RocksDB whose write-ahead log is synced in groups.
///
/// apply() makes a change visible and survives a kill of the process; sync() makes it durable. They
/// are apart so that locks which order changes are held over the first, that only touches memory
/// and the page cache, and never over the second. All that wait in sync() share one fsync.
/// Thread-safe; everything but reads with Wait::no may block.
class Database {
 public:
  /// Fails with corrupt, also for a format that this program does not know, or io.
  [[nodiscard]] static Result<std::unique_ptr<Database>> open(const std::filesystem::path& folder,
                                                              std::uint64_t cache_bytes,
                                                              std::uint64_t events_kept);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  [[nodiscard]] Result<std::optional<std::string>> get(std::string_view key, Wait wait) const;
  /// The value without a copy.
  [[nodiscard]] Result<std::optional<BlobBytes>> get_pinned(Family family, std::string_view key,
                                                            Wait wait) const;

  /// Calls `entry` for each key that begins with `prefix` and is above prefix + `after`, in byte
  /// order, with the rest of the key behind the prefix, until it returns false. `inclusive` starts
  /// at prefix + `after` itself. The view is one point in time.
  using Entry = std::function<bool(std::string_view rest, std::string_view value)>;
  [[nodiscard]] Result<void> scan(std::string_view prefix, std::string_view after,
                                  const Entry& entry, Family family = Family::index,
                                  bool inclusive = false) const;
  /// Whether any key begins with `prefix`.
  [[nodiscard]] Result<bool> any(std::string_view prefix) const;

  /// Returns a ticket for sync(). Fails with disk_full or io, and then nothing was changed.
  [[nodiscard]] Result<std::uint64_t> apply(Change change);
  /// Returns when the change of that ticket, and all before it, are durable.
  [[nodiscard]] Result<void> sync(std::uint64_t ticket);
  /// Both.
  [[nodiscard]] Result<void> commit(Change change);

  [[nodiscard]] Counters counters() const;
  [[nodiscard]] std::uint64_t last_event() const;
  [[nodiscard]] std::shared_ptr<void> subscribe(std::function<void()> wake);

 private:
  Database();
  [[nodiscard]] rocksdb::ColumnFamilyHandle* handle(Family family) const;
  [[nodiscard]] Result<void> load_state();
  void wake_subscribers();

  std::unique_ptr<rocksdb::DB> db_;
  std::vector<rocksdb::ColumnFamilyHandle*> handles_;  // By Family.
  std::uint64_t events_kept_ = 0;

  mutable std::mutex order_;  // Held while a change is written: its event numbers are its place.
  Counters counters_;
  std::uint64_t event_ = 0;   // The newest assigned.
  std::uint64_t ticket_ = 0;  // The newest applied.

  mutable std::mutex sync_;
  std::condition_variable synced_;
  bool syncing_ = false;
  std::uint64_t durable_ticket_ = 0;
  std::uint64_t durable_event_ = 0;

  std::mutex subscribers_mutex_;
  std::map<std::uint64_t, std::function<void()>> subscribers_;
  std::uint64_t next_subscriber_ = 0;
};

}  // namespace shoal

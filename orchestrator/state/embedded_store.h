#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "orchestrator/state/embedded_records.h"

namespace rocksdb {
class ColumnFamilyHandle;
class DB;
class Snapshot;
}  // namespace rocksdb

namespace shoal {

struct RangeOptions {
  Revision at = 0;         // As of then; 0: now.
  std::size_t limit = 0;   // Entries; 0: all.
  std::size_t bytes = 0;   // Stops behind the entry that reaches it, with `more`; 0: no bound.
  bool keys_only = false;  // Values are left out.
  bool count_only = false;
};

struct EntryRange {
  std::vector<VersionedEntry> entries;
  Revision revision = 0;    // The newest when it was read, whatever `at` was.
  std::uint64_t count = 0;  // Keys in the range; as far as they were read where there are more.
  bool more = false;
};

/// The tables of the embedded state in RocksDB: entries by key, changes by revision, leases by id.
///
/// One thread at a time may write (the caller holds a lock); reads may come from all. What apply()
/// wrote survives a kill of the process at once, and a power failure after the next sync().
class EmbeddedStore {
 public:
  /// Fails with unavailable when another process has it, corrupt or io.
  [[nodiscard]] static Result<std::unique_ptr<EmbeddedStore>> open(
      const std::filesystem::path& directory, std::uint64_t history);
  ~EmbeddedStore();
  EmbeddedStore(const EmbeddedStore&) = delete;
  EmbeddedStore& operator=(const EmbeddedStore&) = delete;

  /// What is written together: at most one transaction, and leases (nothing: forgotten).
  struct Batch {
    RecordedCommit commit;  // Revision 0: none. Else one above revision().
    std::vector<std::pair<LeaseId, std::optional<std::chrono::seconds>>> leases;
  };
  [[nodiscard]] Result<void> apply(const Batch& batch);
  /// Makes durable what apply() wrote before this call. Any thread.
  [[nodiscard]] Result<void> sync();

  /// The state at one point in time. The store must outlive it.
  class View {
   public:
    [[nodiscard]] Revision revision() const { return revision_; }
    [[nodiscard]] Result<std::optional<VersionedEntry>> get(std::string_view key) const;
    /// Fails with events_compacted when `at` lies before the history, bad_request when it is to
    /// come.
    [[nodiscard]] Result<EntryRange> range(const KeyRange& range,
                                           const RangeOptions& options) const;

   private:
    friend class EmbeddedStore;
    const EmbeddedStore* store_ = nullptr;
    std::shared_ptr<const rocksdb::Snapshot> snapshot_;  // Null: whatever is the newest.
    Revision revision_ = 0;
  };
  /// For the thread that may write: nothing changes meanwhile.
  [[nodiscard]] View latest() const;
  /// For any thread.
  [[nodiscard]] Result<View> snapshot() const;

  /// Calls `change` for each change above `after` up to `last`, in order, until it returns false.
  /// Fails with events_compacted when the history does not reach back that far.
  using OnChange = std::function<bool(Revision revision, RecordedChange change)>;
  [[nodiscard]] Result<void> history(Revision after, Revision last, const OnChange& change) const;

  /// The newest; for the thread that may write.
  [[nodiscard]] Revision revision() const { return revision_; }
  /// Changes up to this revision are forgotten. Any thread.
  [[nodiscard]] Revision compacted() const { return compacted_; }
  /// A random number that the store was given when it was created.
  [[nodiscard]] std::uint64_t id() const { return id_; }

  [[nodiscard]] Result<std::vector<std::pair<LeaseId, std::chrono::seconds>>> leases() const;
  /// Every key that names a lease.
  [[nodiscard]] Result<std::vector<std::pair<std::string, LeaseId>>> leased_keys() const;
  /// Bytes on disk, about.
  [[nodiscard]] std::uint64_t disk_bytes() const;

 private:
  enum class Family { settings, entries, history, leases };

  EmbeddedStore();
  [[nodiscard]] rocksdb::ColumnFamilyHandle* handle(Family family) const {
    return handles_[static_cast<std::size_t>(family)];
  }
  [[nodiscard]] Result<void> load();
  [[nodiscard]] Result<std::optional<std::uint64_t>> setting(
      std::string_view name, const rocksdb::Snapshot* snapshot = nullptr) const;
  [[nodiscard]] Result<void> read_history(const rocksdb::Snapshot* snapshot, Revision after,
                                          Revision last, const OnChange& change) const;
  /// Forgets what is above the bounds; true when enough came together to erase it on disk.
  [[nodiscard]] bool age_history();

  std::unique_ptr<rocksdb::DB> db_;
  std::vector<rocksdb::ColumnFamilyHandle*> handles_;  // By Family.
  std::uint64_t history_max_ = 0;
  std::uint64_t id_ = 0;
  Revision revision_ = 0;
  std::atomic<Revision> compacted_{0};
  std::deque<std::size_t> kept_;  // Bytes of the revisions above compacted_, in order.
  std::uint64_t kept_bytes_ = 0;
  std::uint64_t aged_ = 0;  // Revisions forgotten and still on disk.
  std::uint64_t aged_bytes_ = 0;
};

}  // namespace shoal

#include "orchestrator/state/embedded_store.h"

#include <algorithm>
#include <map>
#include <random>
#include <system_error>

#include <fmt/format.h>
#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>

#include "storage/codec.h"
#include "storage/rocks.h"

namespace shoal {
namespace {

constexpr std::uint64_t kFormatVersion = 1;
constexpr std::size_t kCacheBytes = 32 << 20;
// Large values must not make the history a multiple of the state: beyond this the oldest go,
// however few they are.
constexpr std::uint64_t kHistoryBytesMax = 256 << 20;
// How much of the history is forgotten before it is erased on disk, in one mark for all of it.
constexpr std::uint64_t kPruneRevisions = 512;
constexpr std::uint64_t kPruneBytes = 16 << 20;

constexpr std::string_view kVersion = "version";
constexpr std::string_view kId = "id";
constexpr std::string_view kRevision = "revision";

std::string big_endian(std::uint64_t number) {
  std::string key;
  append_big_endian(key, number);
  return key;
}

std::string number_record(std::uint64_t number) { return RecordWriter().number(number).take(); }

std::uint64_t random_id() {
  std::random_device device;
  const std::uint64_t bits = std::uint64_t{device()} << 32 | device();
  return bits >> 1 | 1;  // Positive for those who read it as signed.
}

/// Of the state's own errors: a full disk is a state that cannot be written.
tl::unexpected<Error> state_error(const rocksdb::Status& status, std::string_view doing) {
  auto error = rocks_error(status, doing).value();
  if (error.code == Errc::disk_full) error.code = Errc::unavailable;
  return tl::unexpected(std::move(error));
}

rocksdb::ColumnFamilyOptions family_options(const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = cache;
  table.cache_index_and_filter_blocks = true;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  table.format_version = 5;
  rocksdb::ColumnFamilyOptions options;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  options.compression = rocksdb::kZSTD;
  options.write_buffer_size = 8 << 20;
  return options;
}

}  // namespace

EmbeddedStore::EmbeddedStore() = default;

EmbeddedStore::~EmbeddedStore() {
  if (!db_) return;
  for (auto* handle : handles_) db_->DestroyColumnFamilyHandle(handle);
  db_->Close();
}

Result<std::unique_ptr<EmbeddedStore>> EmbeddedStore::open(const std::filesystem::path& directory,
                                                           std::uint64_t history) {
  std::error_code failed;
  std::filesystem::create_directories(directory, failed);
  if (failed) {
    return fail(Errc::io, fmt::format("creating the folder of the state, {}: {}",
                                      directory.string(), failed.message()));
  }
  rocksdb::Options options = rocks_options();
  options.max_total_wal_size = 64 << 20;
  options.db_write_buffer_size = 16 << 20;
  const auto cache = rocksdb::NewLRUCache(kCacheBytes);
  const std::vector<rocksdb::ColumnFamilyDescriptor> families = {
      {rocksdb::kDefaultColumnFamilyName, family_options(cache)},
      {"entries", family_options(cache)},
      {"history", family_options(cache)},
      {"leases", family_options(cache)}};

  std::unique_ptr<EmbeddedStore> store(new EmbeddedStore);
  store->history_max_ = std::max<std::uint64_t>(history, 1);
  rocksdb::DB* db = nullptr;
  const auto status =
      rocksdb::DB::Open(options, directory.string(), families, &store->handles_, &db);
  if (!status.ok()) {
    // RocksDB names the lock only in its text.
    if (status.IsIOError() && status.ToString().find("/LOCK") != std::string::npos) {
      return fail(Errc::unavailable,
                  fmt::format("the state in {} is in use by another process", directory.string()));
    }
    return state_error(status, "opening the state in " + directory.string());
  }
  store->db_.reset(db);
  const auto loaded = store->load();
  if (!loaded) return tl::unexpected(loaded.error());
  return store;
}

Result<std::optional<std::uint64_t>> EmbeddedStore::setting(
    std::string_view name, const rocksdb::Snapshot* snapshot) const {
  rocksdb::ReadOptions options;
  options.snapshot = snapshot;
  std::string record;
  const auto status = db_->Get(options, handle(Family::settings), name, &record);
  if (status.IsNotFound()) return std::nullopt;
  if (!status.ok()) return state_error(status, "reading the state");
  return RecordReader(record).number();
}

Result<void> EmbeddedStore::load() {
  const auto version = setting(kVersion);
  if (!version) return tl::unexpected(version.error());
  if (!*version) {
    rocksdb::WriteBatch first;
    first.Put(handle(Family::settings), kVersion, number_record(kFormatVersion));
    first.Put(handle(Family::settings), kId, number_record(random_id()));
    first.Put(handle(Family::settings), kRevision, number_record(1));  // As a new etcd.
    rocksdb::WriteOptions durable;
    durable.sync = true;
    const auto status = db_->Write(durable, &first);
    if (!status.ok()) return state_error(status, "creating the state");
  } else if (**version != kFormatVersion) {
    return fail(Errc::corrupt,
                "the state was written in a format that this version of shoal does not know: use "
                "the version that wrote it");
  }
  const auto id = setting(kId);
  if (!id) return tl::unexpected(id.error());
  const auto revision = setting(kRevision);
  if (!revision) return tl::unexpected(revision.error());
  id_ = id->value_or(1);
  revision_ = revision->value_or(0);

  compacted_ = revision_;
  std::unique_ptr<rocksdb::Iterator> cursor(
      db_->NewIterator(rocksdb::ReadOptions(), handle(Family::history)));
  for (cursor->SeekToFirst(); cursor->Valid(); cursor->Next()) {
    const auto found = read_big_endian(cursor->key().ToStringView());
    if (kept_.empty()) compacted_ = found - 1;
    kept_.resize(static_cast<std::size_t>(found - compacted_));
    kept_.back() += cursor->value().size();
    kept_bytes_ += cursor->value().size();
  }
  if (!cursor->status().ok()) return state_error(cursor->status(), "reading the state's history");
  static_cast<void>(age_history());  // The bound may be another than last time.
  return {};
}

bool EmbeddedStore::age_history() {
  while (kept_.size() > history_max_ || (kept_bytes_ > kHistoryBytesMax && kept_.size() > 1)) {
    aged_bytes_ += kept_.front();
    ++aged_;
    kept_bytes_ -= kept_.front();
    kept_.pop_front();
    ++compacted_;
  }
  return aged_ >= kPruneRevisions || aged_bytes_ >= kPruneBytes;
}

Result<void> EmbeddedStore::apply(const Batch& batch) {
  rocksdb::WriteBatch writes;
  std::size_t index = 0;
  std::size_t bytes = 0;
  for (const auto& change : batch.commit.changes) {
    if (change.after) {
      writes.Put(handle(Family::entries), change.key, encode_entry(*change.after));
    } else {
      writes.Delete(handle(Family::entries), change.key);
    }
    std::string place = big_endian(batch.commit.revision);
    append_big_endian(place, index++);
    const auto record = encode_change(change);
    bytes += record.size();
    writes.Put(handle(Family::history), place, record);
  }
  if (batch.commit.revision > 0) {
    writes.Put(handle(Family::settings), kRevision, number_record(batch.commit.revision));
  }
  for (const auto& [id, ttl] : batch.leases) {
    if (ttl) {
      const auto seconds = static_cast<std::uint64_t>(ttl->count());
      writes.Put(handle(Family::leases), big_endian(id), number_record(seconds));
    } else {
      writes.Delete(handle(Family::leases), big_endian(id));
    }
  }

  auto status = db_->Write(rocksdb::WriteOptions(), &writes);
  if (!status.ok()) {
    // After a failed write RocksDB refuses all others until told that the cause may be gone (a full
    // disk that was freed): tell it, and try once more.
    if (db_->Resume().ok()) status = db_->Write(rocksdb::WriteOptions(), &writes);
  }
  if (!status.ok()) return state_error(status, "writing the state");
  if (batch.commit.revision == 0) return {};

  revision_ = batch.commit.revision;
  kept_.push_back(bytes);
  kept_bytes_ += bytes;
  if (!age_history()) return {};
  // A failure is no loss: the next mark covers this one too.
  const auto pruned = db_->DeleteRange(rocksdb::WriteOptions(), handle(Family::history),
                                       big_endian(0), big_endian(compacted_ + 1));
  if (pruned.ok()) aged_ = aged_bytes_ = 0;
  return {};
}

Result<void> EmbeddedStore::sync() {
  const auto status = db_->SyncWAL();
  if (!status.ok()) return state_error(status, "syncing the state's write-ahead log");
  return {};
}

EmbeddedStore::View EmbeddedStore::latest() const {
  View view;
  view.store_ = this;
  view.revision_ = revision_;
  return view;
}

Result<EmbeddedStore::View> EmbeddedStore::snapshot() const {
  View view;
  view.store_ = this;
  view.snapshot_ = {db_->GetSnapshot(), [db = db_.get()](const rocksdb::Snapshot* snapshot) {
                      db->ReleaseSnapshot(snapshot);
                    }};
  const auto revision = setting(kRevision, view.snapshot_.get());
  if (!revision) return tl::unexpected(revision.error());
  view.revision_ = revision->value_or(0);
  return view;
}

Result<std::optional<VersionedEntry>> EmbeddedStore::View::get(std::string_view key) const {
  rocksdb::ReadOptions options;
  options.snapshot = snapshot_.get();
  rocksdb::PinnableSlice record;
  const auto status = store_->db_->Get(options, store_->handle(Family::entries), key, &record);
  if (status.IsNotFound()) return std::nullopt;
  if (!status.ok()) return state_error(status, "reading the state");
  auto entry = decode_entry(key, record.ToStringView());
  if (!entry) return tl::unexpected(entry.error());
  return std::move(*entry);
}

Result<EntryRange> EmbeddedStore::View::range(const KeyRange& range,
                                              const RangeOptions& options) const {
  if (options.at > revision_) {
    return fail(Errc::bad_request,
                fmt::format("revision {} is to come; the newest is {}", options.at, revision_));
  }
  // What the keys were that changed since then: the first change of each says it.
  std::map<std::string, std::optional<VersionedEntry>> past;
  if (options.at > 0 && options.at < revision_) {
    const auto undone = store_->read_history(
        snapshot_.get(), options.at, revision_, [&](Revision, RecordedChange change) {
          if (range.contains(change.key)) past.try_emplace(change.key, std::move(change.before));
          return true;
        });
    if (!undone) return tl::unexpected(undone.error());
  }

  EntryRange found;
  found.revision = revision_;
  std::size_t bytes = 0;
  const auto full = [&] {
    found.more = (options.limit > 0 && found.entries.size() == options.limit) ||
                 (options.bytes > 0 && bytes >= options.bytes);
    return found.more;
  };
  const auto take = [&](VersionedEntry entry) {
    ++found.count;
    if (options.keys_only) entry.entry.value.clear();
    bytes += entry.entry.key.size() + entry.entry.value.size();
    found.entries.push_back(std::move(entry));
  };
  auto changed = past.begin();
  // Takes the keys of the past that stand before `key`; false when there is no room.
  const auto take_past = [&](std::optional<std::string_view> key) {
    for (; changed != past.end() && (!key || changed->first < *key); ++changed) {
      if (!changed->second) continue;
      if (options.count_only) {
        ++found.count;
        continue;
      }
      if (full()) return false;
      take(std::move(*changed->second));
    }
    return true;
  };

  rocksdb::ReadOptions reading;
  reading.snapshot = snapshot_.get();
  const std::string end_text = range.end.value_or(std::string());
  const rocksdb::Slice upper(end_text);
  if (range.end) reading.iterate_upper_bound = &upper;
  std::unique_ptr<rocksdb::Iterator> cursor(
      store_->db_->NewIterator(reading, store_->handle(Family::entries)));
  for (cursor->Seek(range.first); cursor->Valid(); cursor->Next()) {
    const auto key = cursor->key().ToStringView();
    if (!take_past(key)) return found;
    if (changed != past.end() && changed->first == key) continue;  // The next round takes it.
    if (options.count_only) {
      ++found.count;
      continue;
    }
    if (full()) return found;
    auto entry = decode_entry(key, cursor->value().ToStringView());
    if (!entry) return tl::unexpected(entry.error());
    take(std::move(*entry));
  }
  if (!cursor->status().ok()) return state_error(cursor->status(), "listing the state");
  static_cast<void>(take_past(std::nullopt));
  return found;
}

Result<void> EmbeddedStore::history(Revision after, Revision last, const OnChange& change) const {
  return read_history(nullptr, after, last, change);
}

Result<void> EmbeddedStore::read_history(const rocksdb::Snapshot* snapshot, Revision after,
                                         Revision last, const OnChange& change) const {
  rocksdb::ReadOptions options;
  options.snapshot = snapshot;
  const std::string end = big_endian(last + 1);
  const rocksdb::Slice upper(end);
  options.iterate_upper_bound = &upper;
  std::unique_ptr<rocksdb::Iterator> cursor(db_->NewIterator(options, handle(Family::history)));
  // Behind the iterator, which sees one point in time: what it does not find was forgotten before.
  if (after < compacted_) {
    return fail(Errc::events_compacted,
                fmt::format("the history of the state begins behind revision {}; {} is gone",
                            compacted_.load(), after));
  }
  for (cursor->Seek(big_endian(after + 1)); cursor->Valid(); cursor->Next()) {
    auto decoded = decode_change(cursor->value().ToStringView());
    if (!decoded) return tl::unexpected(decoded.error());
    if (!change(read_big_endian(cursor->key().ToStringView()), std::move(*decoded))) break;
  }
  if (!cursor->status().ok()) return state_error(cursor->status(), "reading the state's history");
  return {};
}

Result<std::vector<std::pair<LeaseId, std::chrono::seconds>>> EmbeddedStore::leases() const {
  std::vector<std::pair<LeaseId, std::chrono::seconds>> leases;
  std::unique_ptr<rocksdb::Iterator> cursor(
      db_->NewIterator(rocksdb::ReadOptions(), handle(Family::leases)));
  for (cursor->SeekToFirst(); cursor->Valid(); cursor->Next()) {
    const auto seconds = RecordReader(cursor->value().ToStringView()).number();
    leases.emplace_back(read_big_endian(cursor->key().ToStringView()),
                        std::chrono::seconds(static_cast<std::int64_t>(seconds)));
  }
  if (!cursor->status().ok()) return state_error(cursor->status(), "reading the state's leases");
  return leases;
}

Result<std::vector<std::pair<std::string, LeaseId>>> EmbeddedStore::leased_keys() const {
  std::vector<std::pair<std::string, LeaseId>> keys;
  std::unique_ptr<rocksdb::Iterator> cursor(
      db_->NewIterator(rocksdb::ReadOptions(), handle(Family::entries)));
  for (cursor->SeekToFirst(); cursor->Valid(); cursor->Next()) {
    const auto entry = decode_entry(cursor->key().ToStringView(), cursor->value().ToStringView());
    if (!entry) return tl::unexpected(entry.error());
    if (entry->entry.lease != 0) keys.emplace_back(entry->entry.key, entry->entry.lease);
  }
  if (!cursor->status().ok()) return state_error(cursor->status(), "reading the state");
  return keys;
}

std::uint64_t EmbeddedStore::disk_bytes() const {
  std::uint64_t sum = 0;
  for (auto* family : handles_) {
    std::uint64_t bytes = 0;
    if (db_->GetIntProperty(family, rocksdb::DB::Properties::kTotalSstFilesSize, &bytes)) {
      sum += bytes;
    }
  }
  return sum;
}

}  // namespace shoal

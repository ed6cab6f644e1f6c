#include "storage/database.h"

#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>

#include "storage/keys.h"
#include "storage/rocks.h"

namespace shoal {
namespace {

constexpr std::uint64_t kFormatVersion = 2;
constexpr std::uint64_t kPruneEvery = 4096;  // Events between two prunings of the feed.

std::string after_prefix(std::string_view prefix) {
  std::string end(prefix);  // The tables are letters, so the last byte that can grow exists.
  while (static_cast<std::uint8_t>(end.back()) == 0xff) end.pop_back();
  end.back() = static_cast<char>(static_cast<std::uint8_t>(end.back()) + 1);
  return end;
}

std::string big_endian(std::uint64_t number) {
  std::string key;
  append_big_endian(key, number);
  return key;
}

void add(Counters& sum, const Counters& moved) {
  sum.blobs += moved.blobs;
  sum.content_bytes += moved.content_bytes;
  sum.stored_bytes += moved.stored_bytes;
  sum.quarantined += moved.quarantined;
}

rocksdb::ColumnFamilyOptions family_options(const std::shared_ptr<rocksdb::Cache>& cache,
                                            std::size_t block_bytes) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = cache;
  table.block_size = block_bytes;
  table.cache_index_and_filter_blocks = true;  // So that the cache bounds all of it.
  table.pin_l0_filter_and_index_blocks_in_cache = true;
  // In pieces: a file's whole filter is up to a megabyte, and a small cache would read it anew for
  // each key. Only the index of the pieces stays.
  table.index_type = rocksdb::BlockBasedTableOptions::kTwoLevelIndexSearch;
  table.partition_filters = true;
  table.pin_top_level_index_and_filter = true;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  table.format_version = 5;
  rocksdb::ColumnFamilyOptions options;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  options.compression = rocksdb::kZSTD;
  options.compression_opts.level = 1;
  options.write_buffer_size = 8 << 20;
  return options;
}

}  // namespace

void Change::put(std::string key, std::string value, Family family) {
  operations_.push_back({family, std::move(key), std::move(value)});
}

void Change::erase(std::string key, Family family) {
  operations_.push_back({family, std::move(key), std::nullopt});
}

Database::Database() = default;

Database::~Database() {
  if (!db_) return;
  for (auto* handle : handles_) db_->DestroyColumnFamilyHandle(handle);
  db_->Close();
}

rocksdb::ColumnFamilyHandle* Database::handle(Family family) const {
  return handles_[static_cast<std::size_t>(family)];
}

Result<std::unique_ptr<Database>> Database::open(const std::filesystem::path& folder,
                                                 std::uint64_t cache_bytes,
                                                 std::uint64_t events_kept) {
  const auto cache = rocksdb::NewLRUCache(cache_bytes);
  rocksdb::Options options = rocks_options();
  options.max_total_wal_size = 64 << 20;
  options.db_write_buffer_size = 16 << 20;
  const std::vector<rocksdb::ColumnFamilyDescriptor> families = {
      {rocksdb::kDefaultColumnFamilyName, family_options(cache, 4 << 10)},
      {"content", family_options(cache, 16 << 10)},
      {"feed", family_options(cache, 16 << 10)}};

  std::unique_ptr<Database> database(new Database);
  database->events_kept_ = events_kept;
  rocksdb::DB* db = nullptr;
  const auto status =
      rocksdb::DB::Open(options, folder.string(), families, &database->handles_, &db);
  if (!status.ok()) return rocks_error(status, "opening the database in " + folder.string());
  database->db_.reset(db);
  const auto loaded = database->load_state();
  if (!loaded) return tl::unexpected(loaded.error());
  return database;
}

Result<void> Database::load_state() {
  const auto version = get(keys::setting("version"), Wait::yes);
  if (!version) return tl::unexpected(version.error());
  if (!*version) {
    Change first;
    first.put(keys::setting("version"), RecordWriter().number(kFormatVersion).take());
    const auto written = commit(std::move(first));
    if (!written) return tl::unexpected(written.error());
  } else if (RecordReader(**version).number() != kFormatVersion) {
    return fail(Errc::corrupt,
                "the store was written in a format that this version of shoal does "
                "not know: use the version that wrote it, or a new data folder");
  }

  const auto counters = get(keys::setting("counters"), Wait::yes);
  if (!counters) return tl::unexpected(counters.error());
  if (*counters) {
    const auto decoded = Counters::decode(**counters);
    if (!decoded) return tl::unexpected(decoded.error());
    counters_ = *decoded;
  }

  std::unique_ptr<rocksdb::Iterator> newest(
      db_->NewIterator(rocksdb::ReadOptions(), handle(Family::feed)));
  newest->SeekToLast();
  if (newest->Valid()) event_ = read_big_endian(newest->key().ToStringView());
  durable_event_ = event_;
  if (!newest->status().ok()) return rocks_error(newest->status(), "reading the change feed");
  return {};
}

Result<std::optional<std::string>> Database::get(std::string_view key, Wait wait) const {
  const auto value = get_pinned(Family::index, key, wait);
  if (!value) return tl::unexpected(value.error());
  if (!*value) return std::nullopt;
  return std::string((*value)->view());
}

Result<std::optional<BlobBytes>> Database::get_pinned(Family family, std::string_view key,
                                                      Wait wait) const {
  rocksdb::ReadOptions options;
  if (wait == Wait::no) options.read_tier = rocksdb::kBlockCacheTier;
  auto value = std::make_unique<rocksdb::PinnableSlice>();
  const auto status = db_->Get(options, handle(family), key, value.get());
  if (status.IsNotFound()) return std::nullopt;
  if (!status.ok()) return rocks_error(status, "reading metadata");
  return pinned_bytes(std::move(value));
}

Result<void> Database::scan(std::string_view prefix, std::string_view after, const Entry& entry,
                            Family family, bool inclusive) const {
  rocksdb::ReadOptions options;
  const std::string end = prefix.empty() ? std::string() : after_prefix(prefix);
  const rocksdb::Slice upper(end);
  if (!prefix.empty()) options.iterate_upper_bound = &upper;
  std::unique_ptr<rocksdb::Iterator> cursor(db_->NewIterator(options, handle(family)));

  const std::string start = std::string(prefix) + std::string(after);
  cursor->Seek(start);
  const bool skip_first =
      !inclusive && !after.empty() && cursor->Valid() && cursor->key().ToStringView() == start;
  if (skip_first) cursor->Next();
  for (; cursor->Valid(); cursor->Next()) {
    const auto rest = cursor->key().ToStringView().substr(prefix.size());
    if (!entry(rest, cursor->value().ToStringView())) break;
  }
  if (!cursor->status().ok()) return rocks_error(cursor->status(), "listing metadata");
  return {};
}

Result<bool> Database::any(std::string_view prefix) const {
  bool found = false;
  const auto scanned = scan(prefix, "", [&](std::string_view, std::string_view) {
    found = true;
    return false;
  });
  if (!scanned) return tl::unexpected(scanned.error());
  return found;
}

Result<std::uint64_t> Database::apply(Change change) {
  rocksdb::WriteBatch batch;
  for (const auto& operation : change.operations_) {
    if (operation.value) {
      batch.Put(handle(operation.family), operation.key, *operation.value);
    } else {
      batch.Delete(handle(operation.family), operation.key);
    }
  }

  const std::lock_guard lock(order_);
  std::uint64_t event = event_;
  for (const auto& reported : change.events_) {
    batch.Put(handle(Family::feed), big_endian(++event), encode_event(reported));
  }
  if (event / kPruneEvery != event_ / kPruneEvery && event > events_kept_) {
    batch.DeleteRange(handle(Family::feed), big_endian(0), big_endian(event - events_kept_ + 1));
  }
  Counters counters = counters_;
  add(counters, change.moved);
  if (!(counters == counters_)) {
    batch.Put(handle(Family::index), keys::setting("counters"), counters.encode());
  }

  auto status = db_->Write(rocksdb::WriteOptions(), &batch);
  if (!status.ok()) {
    // After a failed write RocksDB refuses all others until told that the cause may be gone (a full
    // disk that was freed): tell it, and try once more.
    if (db_->Resume().ok()) status = db_->Write(rocksdb::WriteOptions(), &batch);
  }
  if (!status.ok()) return rocks_error(status, "writing metadata");
  event_ = event;
  counters_ = counters;
  return ++ticket_;
}

Result<void> Database::sync(std::uint64_t ticket) {
  std::unique_lock lock(sync_);
  while (durable_ticket_ < ticket) {
    if (syncing_) {
      synced_.wait(lock);
      continue;
    }
    syncing_ = true;
    lock.unlock();
    std::uint64_t applied, event;
    {
      const std::lock_guard order(order_);
      applied = ticket_;
      event = event_;
    }
    const auto status = db_->SyncWAL();
    lock.lock();
    syncing_ = false;
    synced_.notify_all();
    if (!status.ok()) return rocks_error(status, "syncing the write-ahead log");
    durable_ticket_ = applied;
    if (event > durable_event_) {
      durable_event_ = event;
      lock.unlock();
      wake_subscribers();
      lock.lock();
    }
  }
  return {};
}

Result<void> Database::commit(Change change) {
  const auto ticket = apply(std::move(change));
  if (!ticket) return tl::unexpected(ticket.error());
  return sync(*ticket);
}

Counters Database::counters() const {
  const std::lock_guard lock(order_);
  return counters_;
}

std::uint64_t Database::last_event() const {
  const std::lock_guard lock(sync_);
  return durable_event_;
}

std::shared_ptr<void> Database::subscribe(std::function<void()> wake) {
  const std::lock_guard lock(subscribers_mutex_);
  const std::uint64_t id = ++next_subscriber_;
  subscribers_.emplace(id, std::move(wake));
  return std::shared_ptr<void>(nullptr, [this, id](void*) {
    const std::lock_guard unsubscribe(subscribers_mutex_);
    subscribers_.erase(id);
  });
}

void Database::wake_subscribers() {
  const std::lock_guard lock(subscribers_mutex_);
  for (const auto& [id, wake] : subscribers_) wake();
}

}  // namespace shoal

#include "storage/content.h"

#include <set>

#include <rocksdb/cache.h>
#include <rocksdb/convenience.h>
#include <rocksdb/db.h>
#include <rocksdb/sst_file_writer.h>
#include <rocksdb/table.h>
#include <zstd.h>

#include "storage/codec.h"
#include "storage/rocks.h"

namespace shoal {
namespace {

constexpr std::size_t kSampleBytes = 64 << 10;
constexpr std::size_t kReadCacheBytes = 4 << 20;
constexpr std::uint64_t kWriteBack = 4 << 20;  // Written out while more comes in: short syncs.

std::string chunk_key(std::uint64_t id, std::uint64_t chunk) {
  std::string key;
  key.reserve(16);
  append_big_endian(key, id);
  append_big_endian(key, chunk);
  return key;
}

rocksdb::Options content_options(bool compress, std::shared_ptr<rocksdb::Cache> cache) {
  rocksdb::BlockBasedTableOptions table;
  table.no_block_cache = cache == nullptr;
  table.block_cache = std::move(cache);
  table.block_size = kChunkBytes + (4 << 10);  // One chunk, its key and no more fill a block.
  table.checksum = rocksdb::kXXH3;
  table.format_version = 5;
  rocksdb::Options options = rocks_options();
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  options.compression = compress ? rocksdb::kZSTD : rocksdb::kNoCompression;
  options.compression_opts.level = 1;
  options.disable_auto_compactions = true;  // Contents never overlap: nothing to merge, ever.
  options.write_buffer_size = 64 << 10;     // The memtable stays empty.
  options.level0_slowdown_writes_trigger = options.level0_stop_writes_trigger = 1 << 30;
  return options;
}

/// Layers are mostly compressed already; a sample tells in 0.1 ms.
bool compresses(std::string_view chunk) {
  const std::string_view sample = chunk.substr(0, kSampleBytes);
  std::string target(ZSTD_compressBound(sample.size()), '\0');
  const std::size_t size =
      ZSTD_compress(target.data(), target.size(), sample.data(), sample.size(), 1);
  return !ZSTD_isError(size) && size < sample.size() - sample.size() / 8;
}

}  // namespace

SegmentWriter::SegmentWriter(Content& content, std::uint64_t id, std::uint64_t first_chunk)
    : content_(content), id_(id), next_chunk_(first_chunk) {}

SegmentWriter::~SegmentWriter() {
  if (file_.empty()) return;
  writer_.reset();
  std::error_code ignored;  // open() of the store removes what stays.
  std::filesystem::remove(file_, ignored);
}

Result<void> SegmentWriter::open(std::string_view sample) {
  file_ = content_.staging_ / (std::to_string(content_.next_file_.fetch_add(1)) + ".sst");
  rocksdb::EnvOptions environment;
  environment.bytes_per_sync = kWriteBack;
  // The pages stay in the kernel's cache: what was pushed is pulled next.
  constexpr bool kDropPages = false;
  writer_ = std::make_unique<rocksdb::SstFileWriter>(
      environment, content_options(compresses(sample), nullptr), nullptr, kDropPages);
  const auto status = writer_->Open(file_.string());
  if (!status.ok()) return rocks_error(status, "creating a segment");
  return {};
}

Result<void> SegmentWriter::add(std::string_view bytes) {
  if (!writer_) {
    const auto opened = open(bytes);
    if (!opened) return opened;
  }
  const auto status = writer_->Put(chunk_key(id_, next_chunk_), bytes);
  if (!status.ok()) return rocks_error(status, "writing a segment");
  ++next_chunk_;
  size_ += bytes.size();
  return {};
}

Result<std::uint64_t> SegmentWriter::finish() {
  rocksdb::ExternalSstFileInfo info;
  auto status = writer_->Finish(&info);
  if (!status.ok()) return rocks_error(status, "finishing a segment");
  rocksdb::IngestExternalFileOptions options;
  options.move_files = true;
  options.snapshot_consistency = false;
  status = content_.db_->IngestExternalFile({file_.string()}, options);
  if (!status.ok() && content_.db_->Resume().ok()) {  // As in Database::apply().
    status = content_.db_->IngestExternalFile({file_.string()}, options);
  }
  if (!status.ok()) return rocks_error(status, "ingesting a segment");
  file_.clear();
  return info.file_size;
}

Result<std::unique_ptr<Content>> Content::open(const std::filesystem::path& folder,
                                               const std::filesystem::path& staging) {
  std::error_code error;
  std::filesystem::create_directories(staging, error);
  for (const auto& left : std::filesystem::directory_iterator(staging, error)) {
    std::filesystem::remove(left.path(), error);
  }
  if (error) return fail(Errc::io, "preparing " + staging.string() + ": " + error.message());

  std::unique_ptr<Content> content(new Content);
  content->staging_ = staging;
  rocksdb::DB* db = nullptr;
  // Large content is cached by the kernel, and once. This cache is for a few chunks only: a value
  // that it holds is handed out without a copy.
  const auto options = content_options(false, rocksdb::NewLRUCache(kReadCacheBytes, 0));
  const auto status = rocksdb::DB::Open(options, folder.string(), &db);
  if (!status.ok()) return rocks_error(status, "opening the content in " + folder.string());
  content->db_.reset(db);
  std::unique_ptr<rocksdb::Iterator> newest(db->NewIterator(rocksdb::ReadOptions()));
  newest->SeekToLast();
  if (newest->Valid()) content->raise_ids(read_big_endian(newest->key().ToStringView()) + 1);
  if (!newest->status().ok()) return rocks_error(newest->status(), "reading the content");
  return content;
}

Content::~Content() {
  if (db_) db_->Close();
}

void Content::raise_ids(std::uint64_t floor) {
  if (next_id_ < floor) next_id_ = floor;
}

std::vector<std::uint64_t> Content::ids() const {
  std::vector<rocksdb::LiveFileMetaData> files;
  db_->GetLiveFilesMetaData(&files);
  std::set<std::uint64_t> ids;
  for (const auto& file : files) ids.insert(read_big_endian(file.smallestkey));
  return {ids.begin(), ids.end()};
}

std::unique_ptr<SegmentWriter> Content::write(std::uint64_t id, std::uint64_t first_chunk) {
  return std::unique_ptr<SegmentWriter>(new SegmentWriter(*this, id, first_chunk));
}

Result<BlobBytes> Content::read(std::uint64_t id, std::uint64_t chunk) const {
  rocksdb::ReadOptions options;
  auto value = std::make_unique<rocksdb::PinnableSlice>();
  const auto status =
      db_->Get(options, db_->DefaultColumnFamily(), chunk_key(id, chunk), value.get());
  if (status.IsNotFound()) return fail(Errc::corrupt, "a chunk of the content is missing");
  if (!status.ok()) return rocks_error(status, "reading content");
  return pinned_bytes(std::move(value));
}

std::shared_ptr<void> Content::pin(std::uint64_t id) {
  const std::lock_guard lock(pins_->mutex);
  ++pins_->readers[id];
  return std::shared_ptr<void>(nullptr, [pins = pins_, id](void*) {
    const std::lock_guard unpin(pins->mutex);
    if (--pins->readers[id] > 0) return;
    pins->readers.erase(id);
    const auto doomed = pins->doomed.find(id);
    if (doomed != pins->doomed.end()) doomed->second = true;
  });
}

bool Content::pinned(std::uint64_t id) const {
  const std::lock_guard lock(pins_->mutex);
  return pins_->readers.contains(id);
}

Result<bool> Content::drop(std::uint64_t id, std::uint64_t first_chunk) {
  {
    const std::lock_guard lock(pins_->mutex);
    if (pins_->readers.contains(id)) {
      pins_->doomed.emplace(id, false);
      return false;
    }
    pins_->doomed.erase(id);
  }
  const std::string first = chunk_key(id, first_chunk);
  const std::string last = chunk_key(id, UINT64_MAX);
  const rocksdb::Slice begin(first), end(last);
  const rocksdb::RangePtr range(&begin, &end);
  const auto status =
      rocksdb::DeleteFilesInRanges(db_.get(), db_->DefaultColumnFamily(), &range, 1);
  if (!status.ok()) return rocks_error(status, "freeing content");
  return true;
}

std::vector<std::uint64_t> Content::unpinned() {
  const std::lock_guard lock(pins_->mutex);
  std::vector<std::uint64_t> ids;
  for (auto doomed = pins_->doomed.begin(); doomed != pins_->doomed.end();) {
    if (doomed->second) ids.push_back(doomed->first);
    doomed = doomed->second ? pins_->doomed.erase(doomed) : std::next(doomed);
  }
  return ids;
}

}  // namespace shoal

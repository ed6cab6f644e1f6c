#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string_view>
#include <vector>

#include "storage/blobs.h"

namespace rocksdb {
class DB;
class SstFileWriter;
}  // namespace rocksdb

namespace shoal {

/// A blob's bytes are addressed in chunks of this size; only its last one may be shorter.
inline constexpr std::uint64_t kChunkBytes = 256 << 10;

class Content;

/// Writes one segment: whole chunks of one content, consecutive but for seek(), as one
/// sorted-string-table file that is ingested by finish(). Compressed with zstd when the first chunk
/// says that it pays. Blocking; one thread at a time. Destroyed before finish() it leaves nothing
/// behind.
class SegmentWriter {
 public:
  ~SegmentWriter();

  /// `bytes` is one chunk, or another unit (places.h); only the content's very last may be shorter.
  [[nodiscard]] Result<void> add(std::string_view bytes);
  /// The next chunk has this number, above those before it.
  void seek(std::uint64_t chunk) { next_chunk_ = chunk; }
  /// Bytes added.
  [[nodiscard]] std::uint64_t size() const { return size_; }
  /// Syncs the file and makes it part of the content. Returns its bytes on disk. At least one
  /// chunk must have been added.
  [[nodiscard]] Result<std::uint64_t> finish();

 private:
  friend class Content;
  SegmentWriter(Content& content, std::uint64_t id, std::uint64_t first_chunk);
  [[nodiscard]] Result<void> open(std::string_view sample);

  Content& content_;
  std::uint64_t id_;
  std::uint64_t next_chunk_;
  std::uint64_t size_ = 0;
  std::filesystem::path file_;
  std::unique_ptr<rocksdb::SstFileWriter> writer_;
};

/// The large content of the store: a RocksDB of ingested segments, keyed (content id, chunk).
/// Nothing is ever written through its log or compacted; contents are dropped file by file.
///
/// A content id and not the digest is the key because a segment is written before the digest of the
/// whole is known. Ids are never used twice while anything refers to them. Thread-safe; blocking.
class Content {
 public:
  /// `folder` holds the database, `staging` segments that are being written; what an interrupted
  /// process left in `staging` is removed, since nothing acknowledged is only there.
  [[nodiscard]] static Result<std::unique_ptr<Content>> open(const std::filesystem::path& folder,
                                                             const std::filesystem::path& staging);
  ~Content();

  /// Every content id that has segments, in order. Costs memory only, not reads.
  [[nodiscard]] std::vector<std::uint64_t> ids() const;

  /// A fresh content id. Ids below `floor` of raise_ids() are never returned.
  [[nodiscard]] std::uint64_t new_id() { return next_id_.fetch_add(1); }
  void raise_ids(std::uint64_t floor);

  [[nodiscard]] std::unique_ptr<SegmentWriter> write(std::uint64_t id, std::uint64_t first_chunk);

  /// One whole chunk. Fails with corrupt (also when it is missing) or io.
  [[nodiscard]] Result<BlobBytes> read(std::uint64_t id, std::uint64_t chunk) const;

  /// Keeps the content's bytes until the returned object is destroyed (on any thread, cheaply).
  [[nodiscard]] std::shared_ptr<void> pin(std::uint64_t id);

  /// Frees the content's chunks from `first_chunk` on, at once; false when a pin kept them: then
  /// `id` turns up in unpinned() later.
  [[nodiscard]] Result<bool> drop(std::uint64_t id, std::uint64_t first_chunk = 0);
  /// Ids whose drop was put off and can be done now; each is returned once.
  [[nodiscard]] std::vector<std::uint64_t> unpinned();
  /// Whether a running read holds it.
  [[nodiscard]] bool pinned(std::uint64_t id) const;

 private:
  friend class SegmentWriter;
  Content() = default;

  struct Pins {
    std::mutex mutex;
    std::map<std::uint64_t, std::size_t> readers;
    std::map<std::uint64_t, bool> doomed;  // true: the last reader has gone.
  };

  std::unique_ptr<rocksdb::DB> db_;
  std::filesystem::path staging_;
  std::atomic<std::uint64_t> next_id_{1};
  std::atomic<std::uint64_t> next_file_{1};
  std::shared_ptr<Pins> pins_ = std::make_shared<Pins>();  // Outlives us in the hands of readers.
};

}  // namespace shoal

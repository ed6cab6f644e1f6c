#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/digest.h"
#include "storage/error.h"
#include "storage/name.h"
#include "storage/page.h"

namespace shoal {

struct StoreCore;

/// Whether a call may touch the disk. `no` answers from memory or fails with would_block, and is
/// therefore allowed on an I/O thread; `yes` may block and belongs on the store's pool (run_on.h).
enum class Wait { no, yes };

struct BlobInfo {
  Digest digest;
  std::uint64_t size;          // Bytes of content.
  std::uint64_t stored_bytes;  // Bytes on disk, after compression.
};

/// A stretch of a blob's bytes, kept alive by this object alone. Movable.
class BlobBytes {
 public:
  struct Holder {
    virtual ~Holder() = default;
  };
  BlobBytes();
  BlobBytes(std::unique_ptr<Holder> holder, std::string_view bytes);
  ~BlobBytes();
  BlobBytes(BlobBytes&&) noexcept;
  BlobBytes& operator=(BlobBytes&&) noexcept;

  [[nodiscard]] std::string_view view() const { return bytes_; }
  /// Leaves at most `max` bytes from `offset` on.
  void narrow(std::size_t offset, std::size_t max);

 private:
  std::unique_ptr<Holder> holder_;
  std::string_view bytes_;
};

/// An open blob. As long as it lives, the content stays readable: a delete takes the name away at
/// once and the bytes when the last reader is gone. Any thread, one call at a time.
class BlobReader {
 public:
  virtual ~BlobReader() = default;

  [[nodiscard]] virtual const BlobInfo& info() const = 0;

  /// At least one byte and at most `max` from `offset` on (never more than a chunk of 256 KiB, so
  /// that memory stays bounded; call again for the rest). `offset` must be below the size.
  /// Fails with would_block, corrupt (the blob is then quarantined) or io.
  [[nodiscard]] virtual Result<BlobBytes> read(std::uint64_t offset, std::size_t max,
                                               Wait wait) = 0;
};

/// Immutable content, found by its digest and reached through a repository that links it.
/// Thread-safe. Calls without a Wait parameter may block.
class Blobs {
 public:
  explicit Blobs(StoreCore& core) : core_(core) {}

  /// What is known of a blob that `repository` links. A success protects the blob from collection
  /// for the grace period: the client that was told "it is here" may now name it in a manifest.
  /// Fails with blob_unknown, would_block or io.
  [[nodiscard]] Result<BlobInfo> stat(const Repository& repository, const Digest& digest,
                                      Wait wait);

  /// Opens a blob that `repository` links. Fails as stat() does.
  [[nodiscard]] Result<std::shared_ptr<BlobReader>> open(const Repository& repository,
                                                         const Digest& digest, Wait wait);

  /// The same without a repository, for peers, scrub and tools.
  [[nodiscard]] Result<BlobInfo> stat_any(const Digest& digest, Wait wait);
  [[nodiscard]] Result<std::shared_ptr<BlobReader>> open_any(const Digest& digest, Wait wait);

  /// All content that is held here, manifests too, by digest (key order), strictly after `after`.
  /// For peers that want to know what is here, not for clients.
  [[nodiscard]] Result<Page<Digest>> list_all(const std::optional<Digest>& after,
                                              std::size_t limit) const;

  /// As stat_any(), and protects the blob as stat() does: for a peer that was told "it is here".
  [[nodiscard]] Result<BlobInfo> keep(const Digest& digest, Wait wait);

  /// Links a blob that `from` (or, without it, any repository) links into `repository` too.
  /// Durable on return. Fails with blob_unknown or io.
  [[nodiscard]] Result<BlobInfo> mount(const Repository& repository, const Digest& digest,
                                       const std::optional<Repository>& from);

  /// Takes the blob out of `repository`; when no other repository links it, its bytes are freed
  /// before this returns (or when its last reader closes). Durable on return.
  /// Fails with blob_unknown or io.
  [[nodiscard]] Result<void> remove(const Repository& repository, const Digest& digest);

  /// Keeps some text with content, as long as that is here; in place of what was kept before.
  /// Survives a kill on return. Fails with blob_unknown or io.
  [[nodiscard]] Result<void> attach(const Digest& digest, std::string text);
  /// Nothing if there is none.
  [[nodiscard]] Result<std::optional<std::string>> attachment(const Digest& digest) const;

  /// Pinned content is never evicted (it is collected as any other). Durable on return.
  [[nodiscard]] Result<void> pin(const Digest& digest, bool pinned);

 private:
  StoreCore& core_;
};

}  // namespace shoal

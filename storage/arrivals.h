#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/blobs.h"

namespace shoal {

/// What arrives, by somebody's claim: only the digest of the whole tells whether it is true.
struct ArrivalInfo {
  Digest digest;
  std::uint64_t size;         // Bytes of content, at least one.
  std::uint64_t piece_bytes;  // A power of two from 16 KiB on; only the last piece may be shorter.
  /// Whatever its fetcher needs to go on with it later, and others to fetch it from here. Stays
  /// with the content as its attachment (Blobs::attachment()).
  std::string attachment;

  [[nodiscard]] std::uint32_t pieces() const {
    return static_cast<std::uint32_t>((size + piece_bytes - 1) / piece_bytes);
  }
  /// Bytes of that piece.
  [[nodiscard]] std::uint64_t bytes_of(std::uint32_t piece) const {
    return std::min(piece_bytes, size - piece * piece_bytes);
  }
  bool operator==(const ArrivalInfo&) const = default;
};

/// Content that arrives in pieces, in any order. Whoever brings a piece has checked it; the whole
/// is checked before it becomes a blob. A piece is readable as soon as it was brought, and on disk
/// once: where it is stored first is where it stays.
///
/// Thread-safe. Calls may block on the disk unless they say that they do not.
class Arrival {
 public:
  virtual ~Arrival() = default;

  [[nodiscard]] virtual const ArrivalInfo& info() const = 0;

  /// Which pieces are here. Does not block.
  [[nodiscard]] virtual std::vector<bool> pieces() const = 0;
  [[nodiscard]] virtual bool has(std::uint32_t piece) const = 0;
  /// Bytes of the pieces that are here.
  [[nodiscard]] virtual std::uint64_t arrived_bytes() const = 0;

  /// Takes a piece, in memory: the bytes are not copied, and `owner` is kept until they are stored
  /// and nobody reads them. One that is here already is left. Does not block.
  virtual void add(std::uint32_t piece, std::string_view bytes,
                   std::shared_ptr<const void> owner) = 0;

  /// Bytes that are in memory alone. Does not block.
  [[nodiscard]] virtual std::uint64_t waiting_bytes() const = 0;

  /// Writes the pieces that wait, as one segment, and returns their bytes. They survive a kill: a
  /// restarted node has them without looking at their bytes again. Fails with disk_full,
  /// quota_exceeded or io, and then they go on waiting.
  [[nodiscard]] virtual Result<std::uint64_t> store() = 0;

  /// As BlobReader::read(); fails with unavailable when the piece is not here.
  [[nodiscard]] virtual Result<BlobBytes> read(std::uint64_t offset, std::size_t max,
                                               Wait wait) = 0;

  /// Goes on with the digest of the whole, from where it has come to, as far as the pieces reach
  /// without a gap; returns how many bytes that are. When another thread is at it, at once.
  /// Fails as read() does.
  [[nodiscard]] virtual Result<std::uint64_t> hash() = 0;

  /// All pieces are here: makes the content a blob of the repository, durable on return. Fails with
  /// digest_invalid when the content is not what its digest says: it is gone then. Else as store()
  /// and hash() do, and it stays.
  [[nodiscard]] virtual Result<BlobInfo> commit(const Repository& repository) = 0;
};

/// What is on its way into this store. Arrivals survive a restart, and expire when nobody has them
/// open for the time that upload sessions have. Thread-safe; every call may block.
class Arrivals {
 public:
  virtual ~Arrivals() = default;

  /// Begins an arrival or goes on with one; all that open the same digest share one object. If it
  /// was begun with another claim (`info`), what came is dropped, unless somebody has it open: then
  /// it fails with conflict. Fails with disk_full, quota_exceeded (the whole must fit) or io.
  [[nodiscard]] virtual Result<std::shared_ptr<Arrival>> open(const ArrivalInfo& info) = 0;

  /// All that are under way, open or not.
  [[nodiscard]] virtual std::vector<ArrivalInfo> list() = 0;

  /// The one of this content, or nothing.
  [[nodiscard]] virtual std::optional<ArrivalInfo> find(const Digest& digest) = 0;

  /// Drops what came. Those who have it open keep what they have, and their store() and commit()
  /// fail with blob_unknown. Nothing if there is no such arrival.
  [[nodiscard]] virtual Result<void> discard(const Digest& digest) = 0;

  /// Returns how many were dropped.
  virtual std::size_t expire_idle() = 0;
};

}  // namespace shoal

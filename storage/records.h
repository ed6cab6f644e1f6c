#pragma once

// The values of the metadata database (keys.h names their tables). Fields are written in the order
// of declaration (codec.h). A field may be added at the end; nothing else may change without a new
// format version (database.h).

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/clock.h"
#include "storage/digest.h"
#include "storage/events.h"
#include "storage/manifests.h"

namespace shoal {

struct ContentRecord {
  std::uint64_t size = 0;          // Bytes of content.
  std::uint64_t stored_bytes = 0;  // Bytes on disk.
  std::uint64_t content_id = 0;    // Its segments (content.h); 0: the content is inline.
  UnixTime created{};
  std::string_view inline_bytes;  // Points into the encoded record, and so does
  std::string_view places;        // where its parts stand in the segments (places.h).

  [[nodiscard]] std::string encode() const;
  [[nodiscard]] static Result<ContentRecord> decode(std::string_view bytes);
};

struct TagRecord {
  Digest digest;
  UnixTime tagged{};

  [[nodiscard]] std::string encode() const;
  [[nodiscard]] static Result<TagRecord> decode(std::string_view bytes);
};

/// What a repository knows of one of its manifests; decode() reads the head alone, which is all
/// that a GET needs, and facts() the rest, which a delete needs.
struct ManifestRecord {
  std::string_view media_type;
  std::uint64_t size = 0;
  UnixTime pushed{};
  std::string_view encoded;  // The whole record.

  [[nodiscard]] static std::string encode(const ManifestFacts& facts, std::uint64_t size,
                                          UnixTime pushed);
  [[nodiscard]] static Result<ManifestRecord> decode(std::string_view bytes);

  struct Links {
    std::optional<Digest> subject;
    std::vector<Digest> references;
  };
  [[nodiscard]] Result<Links> links() const;
};

[[nodiscard]] std::string encode_referrer(const ManifestFacts& facts, std::uint64_t size);
[[nodiscard]] Result<Referrer> decode_referrer(const Digest& digest, std::string_view bytes);

struct UploadRecord {
  std::string repository;
  Algorithm algorithm = Algorithm::sha256;
  std::uint64_t content_id = 0;
  // Bytes that are ingested as segments; a multiple of a chunk, but when a commit was cut off
  // behind its last segment.
  std::uint64_t segments_end = 0;
  std::uint64_t offset = 0;        // Bytes of the session; those after segments_end are journalled.
  std::uint64_t stored_bytes = 0;  // Of the segments, on disk.
  UnixTime used{};

  /// Of the segments; the last one may be shorter.
  [[nodiscard]] std::uint64_t chunks() const;
  [[nodiscard]] std::string encode() const;
  [[nodiscard]] static Result<UploadRecord> decode(std::string_view bytes);
};

struct ArrivalRecord {
  std::uint64_t size = 0;  // This and the next two are ArrivalInfo's.
  std::uint64_t piece_bytes = 0;
  std::string attachment;
  std::uint64_t content_id = 0;
  std::uint64_t stored_bytes = 0;  // On disk.
  UnixTime used{};
  std::string places;  // Of the pieces that are stored.

  [[nodiscard]] std::string encode() const;
  [[nodiscard]] static Result<ArrivalRecord> decode(std::string_view bytes);
};

struct QuarantineRecord {
  std::uint64_t size = 0;
  UnixTime found{};
  std::string reason;

  [[nodiscard]] std::string encode() const;
  [[nodiscard]] static Result<QuarantineRecord> decode(std::string_view bytes);
};

[[nodiscard]] std::string encode_event(const Event& event);
[[nodiscard]] Result<Event> decode_event(std::uint64_t sequence, std::string_view bytes);

/// Sums over the store, exact: written in the batch of each change that moves them.
struct Counters {
  std::uint64_t blobs = 0;
  std::uint64_t content_bytes = 0;
  std::uint64_t stored_bytes = 0;
  std::uint64_t quarantined = 0;

  bool operator==(const Counters&) const = default;
  [[nodiscard]] std::string encode() const;
  [[nodiscard]] static Result<Counters> decode(std::string_view bytes);
};

}  // namespace shoal

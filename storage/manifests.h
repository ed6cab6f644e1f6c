#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "storage/blobs.h"
#include "storage/clock.h"
#include "storage/page.h"

namespace shoal {

/// What a manifest says about other content, as far as the store must know it. The registry parses
/// the JSON; the store keeps the bytes as they came.
struct ManifestFacts {
  struct Reference {
    Digest digest;
    std::uint64_t size;  // As the descriptor claims; bytes.
    bool required;       // put() fails when the repository does not link it.
  };
  std::string media_type;
  std::string artifact_type;          // The manifest's own, else its config's media type, or empty.
  std::string annotations;            // A JSON object as text, or empty.
  std::optional<Digest> subject;      // What this manifest refers to (OCI 1.1 referrers).
  std::vector<Reference> references;  // Config, layers, children; in the manifest's order.
};

struct ManifestInfo {
  Digest digest;
  std::string media_type;
  std::uint64_t size;  // Bytes.
  UnixTime pushed;
};

/// One entry of a referrers list (OCI distribution-spec 1.1, "Listing Referrers").
struct Referrer {
  Digest digest;
  std::string media_type;
  std::uint64_t size;
  std::string artifact_type;  // May be empty.
  std::string annotations;    // A JSON object as text, or empty.
};

using ManifestReference = std::variant<Tag, Digest>;

/// Manifests, tags, referrers and the catalog. Lists are read in the database's own order from the
/// point asked for: a page costs what it holds, whatever the repository's size.
/// Thread-safe. Calls without a Wait parameter may block.
class Manifests {
 public:
  explicit Manifests(StoreCore& core) : core_(core) {}

  /// Stores `content` under `digest` (which the caller has checked against it) and points `tags` at
  /// it, all in one step. Durable on return.
  /// Fails with manifest_blob_unknown (the message names every missing digest), disk_full or io.
  [[nodiscard]] Result<ManifestInfo> put(const Repository& repository, const Digest& digest,
                                         std::string_view content, const ManifestFacts& facts,
                                         const std::vector<Tag>& tags);

  /// Fails with name_unknown (nothing was ever pushed there), manifest_unknown, would_block or io.
  [[nodiscard]] Result<ManifestInfo> stat(const Repository& repository,
                                          const ManifestReference& reference, Wait wait);

  struct Stored {
    ManifestInfo info;
    BlobBytes content;
  };
  /// Fails as stat() does.
  [[nodiscard]] Result<Stored> get(const Repository& repository, const ManifestReference& reference,
                                   Wait wait);

  /// Removes the manifest and every tag that points at it; what only it referenced becomes a
  /// candidate for collection. Durable on return. Fails as stat() does.
  [[nodiscard]] Result<void> remove(const Repository& repository, const Digest& digest);

  /// Removes the manifest, unless a tag points at it or an index of the repository lists it (its
  /// referrers do not count); says whether it did. Durable on return. Fails as stat() does.
  [[nodiscard]] Result<bool> remove_unused(const Repository& repository, const Digest& digest);

  /// Removes the tag alone. Durable on return. Fails as stat() does.
  [[nodiscard]] Result<void> untag(const Repository& repository, const Tag& tag);

  /// Moves the tag from `former` to `next`, where nothing stands for "it does not exist". Says
  /// whether it did: not when the tag names something else than `former` by now. Durable on return.
  /// Fails with manifest_unknown or name_unknown when the repository does not have `next`, or io.
  [[nodiscard]] Result<bool> move_tag(const Repository& repository, const Tag& tag,
                                      const std::optional<Digest>& former,
                                      const std::optional<Digest>& next);

  /// Whether a manifest of the repository names this content: config, layer or child.
  [[nodiscard]] Result<bool> names(const Repository& repository, const Digest& digest);

  struct TagEntry {
    std::string tag;
    Digest digest;
    UnixTime tagged;
  };
  /// Tags strictly after `after` ("" for all), at most `limit`. Fails with name_unknown or io.
  [[nodiscard]] Result<Page<TagEntry>> tags(const Repository& repository, const std::string& after,
                                            std::size_t limit);

  /// Repository names strictly after `after`, at most `limit`.
  [[nodiscard]] Result<Page<std::string>> repositories(const std::string& after, std::size_t limit);

  /// Manifests of the repository by digest (key order), strictly after `after`; tagged or not.
  [[nodiscard]] Result<Page<ManifestInfo>> list(const Repository& repository,
                                                const std::optional<Digest>& after,
                                                std::size_t limit);

  /// Manifests whose subject is `subject`, by digest, strictly after `after`. With a non-empty
  /// `artifact_types` only those of one of these types. An unknown subject has none.
  [[nodiscard]] Result<Page<Referrer>> referrers(const Repository& repository,
                                                 const Digest& subject,
                                                 const std::vector<std::string>& artifact_types,
                                                 const std::optional<Digest>& after,
                                                 std::size_t limit);

 private:
  StoreCore& core_;
};

}  // namespace shoal

#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "storage/blobs.h"
#include "storage/manifests.h"

namespace shoal {

/// What lies beyond this node's store: the names that all nodes share, and content that other nodes
/// hold. The registry asks it for what its own store cannot answer. A node that stands alone has
/// none.
///
/// Thread-safe; every call may block for as long as bytes or answers keep coming, and ends with
/// timed_out when they do not. Not for I/O threads.
class Elsewhere {
 public:
  virtual ~Elsewhere() = default;

  /// What the tag names now, for all nodes: sees every publish() that was acknowledged anywhere.
  /// Fails with manifest_unknown or name_unknown, or with unavailable when the shared names cannot
  /// be reached: then what the own store knows is all there is, and may be stale.
  [[nodiscard]] virtual Result<Digest> resolve(const Repository& repository, const Tag& tag) = 0;

  /// Tags and repositories as Manifests lists them; fails as resolve() does.
  [[nodiscard]] virtual Result<Page<Manifests::TagEntry>> tags(const Repository& repository,
                                                               const std::string& after,
                                                               std::size_t limit) = 0;
  [[nodiscard]] virtual Result<Page<std::string>> repositories(const std::string& after,
                                                               std::size_t limit) = 0;

  /// Brings a manifest that another node holds into the own store, with the tag where one is given.
  /// Fails with manifest_unknown when no node has it, unavailable when none of those that may have
  /// it answers, timed_out, disk_full, quota_exceeded or io.
  [[nodiscard]] virtual Result<void> fetch_manifest(const Repository& repository,
                                                    const Digest& digest,
                                                    const std::vector<Tag>& tags) = 0;

  /// A blob that the repository has on another node. stat() makes that node keep it for a while, as
  /// Blobs::stat() does. Fail with blob_unknown, unavailable, timed_out or io.
  [[nodiscard]] virtual Result<BlobInfo> stat(const Repository& repository,
                                              const Digest& digest) = 0;
  /// Its reads block on the net (with Wait::no they fail with would_block), and go on at another
  /// holder when one fails. Content that was read to its end is in the own store afterwards.
  [[nodiscard]] virtual Result<std::shared_ptr<BlobReader>> open(const Repository& repository,
                                                                 const Digest& digest) = 0;
  /// Brings it into the own store, linked in `repository`; durable on return.
  [[nodiscard]] virtual Result<void> fetch(const Repository& repository, const Digest& digest) = 0;

  /// The own store holds the manifest: makes the tags name it on all nodes, has it copied as the
  /// cluster's policy asks, and returns when that is as durable as the policy promises.
  /// Fails with unavailable, and then no tag was moved.
  [[nodiscard]] virtual Result<void> publish(const Repository& repository,
                                             const ManifestInfo& manifest,
                                             const std::vector<Tag>& tags) = 0;
  /// Takes the tag away on all nodes. Fails as resolve() does.
  [[nodiscard]] virtual Result<void> untag(const Repository& repository, const Tag& tag) = 0;
  /// Takes the manifest, and the tags that name it, away on all nodes that can be reached.
  /// Fails as resolve() does.
  [[nodiscard]] virtual Result<void> remove(const Repository& repository, const Digest& digest) = 0;
  /// Takes the blob out of the repository on all nodes that can be reached. Fails with blob_unknown
  /// when none of them has it there.
  [[nodiscard]] virtual Result<void> remove_blob(const Repository& repository,
                                                 const Digest& digest) = 0;
};

}  // namespace shoal

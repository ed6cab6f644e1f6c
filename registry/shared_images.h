#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "storage/elsewhere.h"
#include "storage/store.h"

namespace shoal {

/// The own store and what lies elsewhere as one: what a node of a cluster answers where its store
/// alone cannot. The shared names decide what a tag means; the own tags follow them, and are the
/// last known names when nobody can be asked: answers from these are stale.
///
/// Thread-safe. Every call may block on the net: it belongs on the pool for remote work, not on
/// that of the disk. Fails as Store and Elsewhere do, but a wait for other nodes that timed out is
/// unavailable here: it was not the client that was slow.
class SharedImages {
 public:
  /// Both must outlive it.
  SharedImages(Store& store, Elsewhere& elsewhere);

  struct Named {
    Digest digest;
    bool stale = false;
  };
  /// What the tag names for all nodes; the manifest is in the own store on return. A tag that is
  /// gone for all is taken away here, too.
  [[nodiscard]] Result<Named> resolve(const Repository& repository, const Tag& tag);
  /// Brings a manifest that the own store lacks.
  [[nodiscard]] Result<void> bring_manifest(const Repository& repository, const Digest& digest);

  /// A blob that the repository does not link here. Content that is here under another repository
  /// is linked, if the repository has it in the cluster or names it in a manifest.
  [[nodiscard]] Result<BlobInfo> stat(const Repository& repository, const Digest& digest);
  struct Opened {
    std::shared_ptr<BlobReader> reader;
    bool remote;  // It reads from the net: to be read on the pool for that.
  };
  [[nodiscard]] Result<Opened> open(const Repository& repository, const Digest& digest);
  /// Sees to it that the blob is in the own store and linked in the repository.
  [[nodiscard]] Result<void> bring(const Repository& repository, const Digest& digest);
  /// Links a blob that `from`, or else `repository` itself, has elsewhere, and brings it for that.
  [[nodiscard]] Result<void> mount(const Repository& repository, const Digest& digest,
                                   const std::optional<Repository>& from);

  /// Manifests::put(): what the manifest names is brought first where it is not here, and the tags
  /// are everybody's on return. When that fails, no tag was moved.
  [[nodiscard]] Result<ManifestInfo> push(const Repository& repository, const Digest& digest,
                                          std::string_view content, const ManifestFacts& facts,
                                          const std::vector<Tag>& tags);

  /// What the tag names for all nodes, as Elsewhere::resolve().
  [[nodiscard]] Result<Digest> named(const Repository& repository, const Tag& tag);
  /// Takes the tag, or the manifest and its tags, away everywhere.
  [[nodiscard]] Result<void> untag(const Repository& repository, const Tag& tag);
  [[nodiscard]] Result<void> remove(const Repository& repository, const Digest& digest);
  /// Takes the blob out of the repository everywhere.
  [[nodiscard]] Result<void> remove_blob(const Repository& repository, const Digest& digest);
  /// Takes the manifest out of the own store alone, if no tag of any node names it and no index
  /// here lists it. Says whether it did.
  [[nodiscard]] Result<bool> remove_unused(const Repository& repository, const Digest& digest);

  template <class T>
  struct Listed {
    Page<T> page;
    bool stale = false;
  };
  /// Those of all nodes.
  [[nodiscard]] Result<Listed<Manifests::TagEntry>> tags(const Repository& repository,
                                                         const std::string& after,
                                                         std::size_t limit);
  [[nodiscard]] Result<Listed<std::string>> repositories(const std::string& after,
                                                         std::size_t limit);

 private:
  [[nodiscard]] Result<std::optional<Digest>> own_tag(const Repository& repository, const Tag& tag);
  void follow(const Repository& repository, const Tag& tag, std::optional<Digest> former,
              Digest digest);
  [[nodiscard]] Result<std::optional<BlobInfo>> link_held(const Repository& repository,
                                                          const Digest& digest);
  [[nodiscard]] Result<void> bring_references(const Repository& repository,
                                              const ManifestFacts& facts);
  void bring_children(const Repository& repository, const ManifestFacts& facts);
  void say_stale(const Error& error);

  Store& store_;
  Elsewhere& elsewhere_;
  std::atomic<std::uint64_t> stale_answers_{0};  // Since the last line about them.
  std::atomic<std::int64_t> next_line_{0};       // Of the steady clock, its own ticks.
};

}  // namespace shoal

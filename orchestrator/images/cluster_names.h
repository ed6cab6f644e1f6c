#pragma once

#include <string>
#include <vector>

#include "orchestrator/images/cluster_tag.h"
#include "orchestrator/state/state.h"
#include "storage/manifests.h"

namespace shoal {

/// Which tag names which manifest, for all nodes: the keys `tags/` and `repos/` of the state.
/// Thread-safe; every call may block (see State).
///
/// A state that cannot answer, for whatever reason, is unavailable here.
class ClusterNames {
 public:
  /// `state` must outlive it. `self` is this node's id.
  ClusterNames(State& state, std::string self, const Clock& clock = Clock::system());

  /// Fails with name_unknown (nothing was ever pushed to the repository), manifest_unknown,
  /// unavailable or corrupt.
  [[nodiscard]] Result<ClusterTag> resolve(const Repository& repository, const Tag& tag);

  /// As Manifests lists them. Fail with name_unknown (tags) or unavailable.
  [[nodiscard]] Result<Page<Manifests::TagEntry>> tags(const Repository& repository,
                                                       const std::string& after, std::size_t limit);
  [[nodiscard]] Result<Page<std::string>> repositories(const std::string& after, std::size_t limit);

  /// Makes all of `tags` name the manifest, at one revision. Of pushes at the same time one is the
  /// last, for everybody. Without tags only the repository is made known.
  /// Fails with unavailable: then the tags stand as before, or as after.
  [[nodiscard]] Result<void> publish(const Repository& repository, const ManifestInfo& manifest,
                                     const std::vector<Tag>& tags);

  /// Like publish(), for tags that a node had before it joined: those that exist are left alone.
  /// How many were new.
  [[nodiscard]] Result<std::size_t> import(const Repository& repository,
                                           const ManifestInfo& manifest,
                                           const std::vector<Tag>& tags);

  /// Fails as resolve() does.
  [[nodiscard]] Result<void> untag(const Repository& repository, const Tag& tag);
  /// Takes away every tag of the repository that names `digest`; how many they were.
  [[nodiscard]] Result<std::size_t> untag_all(const Repository& repository, const Digest& digest);

 private:
  [[nodiscard]] Result<bool> try_publish(const Repository& repository, const ManifestInfo& manifest,
                                         const std::vector<Tag>& tags, bool replace,
                                         std::size_t& written);
  [[nodiscard]] Error not_found(const Repository& repository, const Tag& tag);

  State& state_;
  const std::string self_;
  const Clock& clock_;
};

}  // namespace shoal

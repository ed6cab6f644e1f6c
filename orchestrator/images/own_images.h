#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "storage/store.h"

namespace shoal {

/// Tags of one repository by the manifest that they name.
using TagsByManifest = std::map<Digest, std::vector<Tag>>;

/// One page of tags above `after`, at most `limit`: of the own store, or of the whole cluster.
using TagPages =
    std::function<Result<Page<Manifests::TagEntry>>(const std::string& after, std::size_t limit)>;

/// Reads all pages. Fails as they do.
[[nodiscard]] Result<TagsByManifest> read_tags(const TagPages& pages);

/// Calls `visit` for each repository of the own store, until it fails: then so does this. May
/// block.
using VisitRepository = std::function<Result<void>(const Repository& repository)>;
[[nodiscard]] Result<void> for_each_repository(Store& store, const VisitRepository& visit);

/// The same for each manifest that the own store has in a repository, tagged or not.
using VisitManifest = std::function<Result<void>(const Digest& manifest)>;
[[nodiscard]] Result<void> for_each_manifest(Store& store, const Repository& repository,
                                             const VisitManifest& visit);

}  // namespace shoal

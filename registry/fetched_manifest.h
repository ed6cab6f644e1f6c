#pragma once

#include <string_view>
#include <vector>

#include "storage/store.h"

namespace shoal {

/// Stores a manifest that came from another node, and points `tags` at it. What it names need not
/// be here: that may follow, and is then kept for as long as the manifest is. May block; durable on
/// return. Fails with digest_invalid when the content is not what the digest says, or as
/// parse_manifest() and Manifests::put() do.
[[nodiscard]] Result<ManifestInfo> store_fetched_manifest(
    Store& store, const Repository& repository, const Digest& digest, std::string_view content,
    std::string_view media_type, const std::vector<Tag>& tags);

}  // namespace shoal

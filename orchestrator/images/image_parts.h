#pragma once

#include <vector>

#include "storage/store.h"

namespace shoal {

/// What an image consists of, as far as its manifests are in the own store.
struct ImageParts {
  std::vector<Digest> manifests;         // It, and the children of an index that are here.
  std::vector<Digest> absent_manifests;  // Children that are not.
  std::vector<Digest> blobs;             // Configs and layers, each once, here or not.

  /// Manifests and blobs: what a node must hold to hold the image.
  [[nodiscard]] std::vector<Digest> all() const;
};

/// Reads the manifest and its children. Content that lies elsewhere by its manifest (`urls`) is no
/// part. May block. Fails with manifest_unknown, corrupt or io.
[[nodiscard]] Result<ImageParts> image_parts(Store& store, const Repository& repository,
                                             const Digest& manifest);

}  // namespace shoal

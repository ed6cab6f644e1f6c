#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "registry/image_name.h"
#include "registry/shared_images.h"
#include "storage/store.h"

namespace shoal {

/// What the store holds, as people ask for it: by image, with everything that belongs to one. In a
/// cluster the names are those of all nodes, and an image whose manifest is not here is marked so.
/// Answers are JSON texts (docs/commands.md shows them). Thread-safe; every call may block, in a
/// cluster on the net.
class NodeImages {
 public:
  /// `store` and `shared` (null: the node stands alone) must outlive this.
  explicit NodeImages(Store& store, SharedImages* shared = nullptr)
      : store_(store), shared_(shared) {}

  struct Answer {
    std::string json;
    bool stale =
        false;  // The names are what this node alone knows: the cluster's are out of reach.
  };

  /// Tags in byte order of repository and tag, strictly after the image name `last` ("" for all),
  /// at most `limit`, of one repository or of all: `{"images":[...],"next":"app:1"}`; `next` is
  /// there when more follow. Fails with name_invalid, tag_invalid, name_unknown or io.
  [[nodiscard]] Result<Answer> list(const std::optional<std::string>& repository,
                                    const std::string& last, std::size_t limit);

  /// Manifest, config, layers, platforms and referrers of an image; brings manifest and config when
  /// only another node has them. Fails with name_unknown, manifest_unknown, unavailable or io.
  [[nodiscard]] Result<Answer> inspect(const ImageName& name);

  /// By tag: removes the tag, and the manifest too when nothing else names it. By digest: removes
  /// the manifest and its tags. In a cluster a tag goes everywhere, and of the manifest, this
  /// node's copy. Fails with name_unknown, manifest_unknown, unavailable or io.
  [[nodiscard]] Result<std::string> remove(const ImageName& name);

  /// What the store takes on disk, and how much content each of at most `limit` repositories
  /// strictly after `last` names: `{"usage":{...},"repositories":[...],"next":"app"}`.
  [[nodiscard]] Result<std::string> usage(const std::string& last, std::size_t limit);

 private:
  [[nodiscard]] Result<SharedImages::Named> find_shared(const ImageName& name);
  [[nodiscard]] Result<std::string> remove_shared(const ImageName& name);

  Store& store_;
  SharedImages* const shared_;
};

}  // namespace shoal

#include "orchestrator/images/image_parts.h"

#include <unordered_set>

#include "registry/image_content.h"
#include "registry/manifest.h"

namespace shoal {
namespace {

constexpr std::size_t kManifestsMax = 10'000;  // Of one image: an index of indexes may name itself.

bool is_manifest(std::string_view media_type) {
  return media_type == kOciIndex || media_type == kOciManifest || media_type == kDockerList ||
         media_type == kDockerManifest;
}

}  // namespace

std::vector<Digest> ImageParts::all() const {
  std::vector<Digest> digests = manifests;
  digests.insert(digests.end(), blobs.begin(), blobs.end());
  return digests;
}

Result<ImageParts> image_parts(Store& store, const Repository& repository, const Digest& manifest) {
  ImageParts parts;
  std::unordered_set<Digest> seen = {manifest};
  std::vector<Digest> open = {manifest};
  while (!open.empty() && seen.size() < kManifestsMax) {
    const Digest digest = open.back();
    open.pop_back();
    const auto stored = store.manifests().get(repository, digest, Wait::yes);
    if (!stored) {
      const bool child = digest != manifest && (stored.error().code == Errc::manifest_unknown ||
                                                stored.error().code == Errc::name_unknown);
      if (!child) return tl::unexpected(stored.error());
      parts.absent_manifests.push_back(digest);
      continue;
    }
    parts.manifests.push_back(digest);
    const auto content = stored->content.view();
    for (const auto& child : parse_image_content(content).manifests) {
      if (!seen.insert(child.digest).second) continue;
      // BuildKit's caches are indexes of layers.
      auto& list = is_manifest(child.media_type) ? open : parts.blobs;
      list.push_back(child.digest);
    }
    const auto parsed = parse_manifest(content, stored->info.media_type);
    if (!parsed) return tl::unexpected(parsed.error());
    for (const auto& reference : parsed->facts.references) {
      if (reference.required && seen.insert(reference.digest).second) {
        parts.blobs.push_back(reference.digest);
      }
    }
  }
  return parts;
}

}  // namespace shoal

#include "registry/fetched_manifest.h"

#include "registry/manifest.h"

namespace shoal {

Result<ManifestInfo> store_fetched_manifest(Store& store, const Repository& repository,
                                            const Digest& digest, std::string_view content,
                                            std::string_view media_type,
                                            const std::vector<Tag>& tags) {
  const auto actual = Digest::of(content, digest.algorithm());
  if (actual != digest) {
    return fail(Errc::digest_invalid,
                "the manifest that came for " + digest.to_string() + " is " + actual.to_string());
  }
  auto manifest = parse_manifest(content, media_type);
  if (!manifest) return tl::unexpected(manifest.error());
  for (auto& reference : manifest->facts.references) reference.required = false;
  return store.manifests().put(repository, digest, content, manifest->facts, tags);
}

}  // namespace shoal

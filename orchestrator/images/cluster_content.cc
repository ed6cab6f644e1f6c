#include "orchestrator/images/cluster_content.h"

#include <set>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "orchestrator/images/image_parts.h"

namespace shoal {

Result<Digest> ClusterContent::resolve(const Repository& repository, const Tag& tag) {
  const auto named = parts_.names.resolve(repository, tag);
  if (!named) return tl::unexpected(named.error());
  // Whoever pushed it a moment ago may not have been announced yet.
  parts_.directory.hint({named->digest}, named->pushed_by);
  return named->digest;
}

Result<Page<Manifests::TagEntry>> ClusterContent::tags(const Repository& repository,
                                                       const std::string& after,
                                                       std::size_t limit) {
  return parts_.names.tags(repository, after, limit);
}

Result<Page<std::string>> ClusterContent::repositories(const std::string& after,
                                                       std::size_t limit) {
  return parts_.names.repositories(after, limit);
}

Result<void> ClusterContent::fetch_manifest(const Repository& repository, const Digest& digest,
                                            const std::vector<Tag>& tags) {
  const auto fetched = parts_.manifests.fetch(repository, digest, tags);
  if (!fetched) return fetched;
  // Whoever asks for a manifest asks for its layers next: they are on their way then.
  const auto parts = image_parts(parts_.store, repository, digest);
  if (parts) parts_.blobs.begin(repository, parts->blobs);
  return {};
}

Result<BlobInfo> ClusterContent::stat(const Repository&, const Digest& digest) {
  return parts_.blobs.stat(digest);
}

Result<std::shared_ptr<BlobReader>> ClusterContent::open(const Repository& repository,
                                                         const Digest& digest) {
  return parts_.blobs.open(repository, digest);
}

Result<void> ClusterContent::fetch(const Repository& repository, const Digest& digest) {
  return parts_.blobs.fetch(repository, digest);
}

Result<void> ClusterContent::publish(const Repository& repository, const ManifestInfo& manifest,
                                     const std::vector<Tag>& tags) {
  // Untagged content (the children of an index, signatures) is copied with what names it, or, when
  // that never comes, collected.
  const bool first_copies = parts_.durability == Durability::replicated && !tags.empty();
  if (first_copies) {
    const auto copied = parts_.replicas.replicate(repository, manifest.digest, tags);
    if (!copied) return tl::unexpected(copied.error());
  }
  const auto named = parts_.names.publish(repository, manifest, tags);
  if (!named) return named;
  if (!first_copies && !tags.empty()) {
    parts_.replicas.replicate_later(repository, manifest.digest, tags);
  }
  return {};
}

Result<void> ClusterContent::untag(const Repository& repository, const Tag& tag) {
  return parts_.names.untag(repository, tag);
}

/// How many of the content's holders did as they were told; the log names those that could not be.
std::size_t ClusterContent::remove_from_holders(const Digest& digest, const std::string& target) {
  // Whoever got it a moment ago is not in the directory yet: in a cluster that is not too large,
  // everybody is told.
  constexpr std::size_t kToldMax = 64;
  const auto found = parts_.directory.lookup(digest).holders;
  std::set<std::string> told(found.begin(), found.end());
  const auto set = parts_.peers.now();
  for (const auto& peer : set->peers) {
    if (set->peers.size() <= kToldMax && peer.id != set->self) told.insert(peer.id);
  }
  std::size_t removed = 0;
  for (const auto& peer : told) {
    const auto answer = parts_.clients.send(peer, "DELETE", target);
    if (answer && answer->status == 202) ++removed;
    if (answer && (answer->status == 202 || answer->status == 404)) continue;
    spdlog::warn("content not removed peer={} digest={} reason=\"{}\"", peer, digest.to_string(),
                 answer ? fmt::format("it answered {}", answer->status) : answer.error().message);
  }
  return removed;
}

Result<void> ClusterContent::remove(const Repository& repository, const Digest& digest) {
  const auto untagged = parts_.names.untag_all(repository, digest);
  if (!untagged) return tl::unexpected(untagged.error());
  static_cast<void>(remove_from_holders(
      digest, fmt::format("/cluster/v1/manifests?repository={}&digest={}",
                          percent_encode(repository.text()), percent_encode(digest.to_string()))));
  return {};
}

Result<void> ClusterContent::remove_blob(const Repository& repository, const Digest& digest) {
  const auto removed = remove_from_holders(
      digest, fmt::format("/cluster/v1/blobs/{}?repository={}", digest.to_string(),
                          percent_encode(repository.text())));
  if (removed > 0) return {};
  return fail(Errc::blob_unknown, "no other node has the blob in this repository");
}

}  // namespace shoal

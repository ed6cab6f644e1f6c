#include "orchestrator/images/manifest_fetch.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "registry/fetched_manifest.h"

namespace shoal {
namespace {

/// A fault of this node's own store: no other holder would help.
bool ours(Errc code) { return code == Errc::disk_full || code == Errc::quota_exceeded; }

}  // namespace

Result<void> ManifestFetch::fetch_from(const std::string& peer, const Repository& repository,
                                       const Digest& digest, const std::vector<Tag>& tags) {
  const auto target =
      fmt::format("/cluster/v1/manifests?repository={}&digest={}",
                  percent_encode(repository.text()), percent_encode(digest.to_string()));
  const auto answer = clients_.send(peer, "GET", target, {}, {}, 256 << 20);
  if (!answer) return tl::unexpected(answer.error());
  if (answer->status == 404) {
    return fail(Errc::manifest_unknown, fmt::format("node {} does not have it", peer));
  }
  if (answer->status != 200) {
    return fail(Errc::unavailable, fmt::format("node {} answered {}", peer, answer->status));
  }
  const auto type = answer->headers.find("Content-Type").value_or("");
  const auto stored = store_fetched_manifest(store_, repository, digest, answer->body, type, tags);
  if (stored) return {};
  if (stored.error().code == Errc::digest_invalid) {
    spdlog::error("wrong manifest received peer={} digest={}", peer, digest.to_string());
  }
  return tl::unexpected(stored.error());
}

Result<void> ManifestFetch::fetch(const Repository& repository, const Digest& digest,
                                  const std::vector<Tag>& tags) {
  const auto found = directory_.lookup(digest);
  bool answered = true;  // Everybody who may have it said that he does not.
  std::string failures;
  for (const auto& peer : found.holders) {
    const auto fetched = fetch_from(peer, repository, digest, tags);
    if (fetched || ours(fetched.error().code)) return fetched;
    answered = answered && fetched.error().code == Errc::manifest_unknown;
    failures += (failures.empty() ? ": " : ", ") + fetched.error().message;
  }
  const auto what =
      fmt::format("manifest {} of repository '{}'", digest.to_string(), repository.text());
  if (answered && found.sure) {
    return fail(Errc::manifest_unknown, fmt::format("no node of the cluster has {}", what));
  }
  return fail(Errc::unavailable,
              fmt::format("no node that may have {} can be reached{}", what, failures));
}

}  // namespace shoal

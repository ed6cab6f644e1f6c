#include "orchestrator/images/own_images.h"

#include <optional>

namespace shoal {
namespace {

constexpr std::size_t kPage = 500;

}  // namespace

Result<TagsByManifest> read_tags(const TagPages& pages) {
  TagsByManifest tags;
  std::string after;
  for (bool more = true; more;) {
    const auto page = pages(after, kPage);
    if (!page) return tl::unexpected(page.error());
    more = page->more && !page->entries.empty();
    for (const auto& entry : page->entries) {
      after = entry.tag;
      const auto tag = Tag::parse(entry.tag);
      if (tag) tags[entry.digest].push_back(*tag);
    }
  }
  return tags;
}

Result<void> for_each_repository(Store& store, const VisitRepository& visit) {
  std::string after;
  for (bool more = true; more;) {
    const auto page = store.manifests().repositories(after, kPage);
    if (!page) return tl::unexpected(page.error());
    more = page->more && !page->entries.empty();
    for (const auto& name : page->entries) {
      after = name;
      const auto repository = Repository::parse(name);
      const auto visited = repository ? visit(*repository) : Result<void>();
      if (!visited) return visited;
    }
  }
  return {};
}

Result<void> for_each_manifest(Store& store, const Repository& repository,
                               const VisitManifest& visit) {
  std::optional<Digest> after;
  for (bool more = true; more;) {
    const auto page = store.manifests().list(repository, after, kPage);
    if (!page) return tl::unexpected(page.error());
    more = page->more && !page->entries.empty();
    for (const auto& info : page->entries) {
      after = info.digest;
      const auto visited = visit(info.digest);
      if (!visited) return visited;
    }
  }
  return {};
}

}  // namespace shoal

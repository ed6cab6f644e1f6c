#include "orchestrator/images/name_import.h"

#include <map>

#include <spdlog/spdlog.h>

#include "orchestrator/trust/private_file.h"

namespace shoal {
namespace {

constexpr std::size_t kPage = 500;
constexpr const char* kMark = "names-given";

struct Count {
  std::size_t given = 0;
  std::size_t existing = 0;
};

Result<void> import_repository(Store& store, ClusterNames& names, const Repository& repository,
                               Count& count) {
  std::map<Digest, std::vector<Tag>> images;
  std::string after;
  for (bool more = true; more;) {
    const auto page = store.manifests().tags(repository, after, kPage);
    if (!page) return tl::unexpected(page.error());
    more = page->more;
    for (const auto& entry : page->entries) {
      after = entry.tag;
      const auto tag = Tag::parse(entry.tag);
      if (tag) images[entry.digest].push_back(*tag);
    }
  }
  for (const auto& [digest, tags] : images) {
    const auto info = store.manifests().stat(repository, digest, Wait::yes);
    if (!info) return tl::unexpected(info.error());
    const auto given = names.import(repository, *info, tags);
    if (!given) return tl::unexpected(given.error());
    count.given += *given;
    count.existing += tags.size() - *given;
  }
  return {};
}

Result<Count> import_all(Store& store, ClusterNames& names) {
  Count count;
  std::string after;
  for (bool more = true; more;) {
    const auto page = store.manifests().repositories(after, kPage);
    if (!page) return tl::unexpected(page.error());
    more = page->more;
    for (const auto& name : page->entries) {
      after = name;
      const auto repository = Repository::parse(name);
      if (!repository) continue;
      const auto imported = import_repository(store, names, *repository, count);
      if (!imported) return tl::unexpected(imported.error());
    }
  }
  return count;
}

}  // namespace

void import_names(Store& store, ClusterNames& names, const std::filesystem::path& folder) {
  std::error_code ignored;
  if (std::filesystem::exists(folder / kMark, ignored)) return;
  const auto count = import_all(store, names);
  if (!count) {
    spdlog::warn("own tags not given to the cluster yet reason=\"{}\"", count.error().message);
    return;
  }
  if (count->given + count->existing > 0) {
    spdlog::info("own tags given to the cluster given={} existing={}", count->given,
                 count->existing);
  }
  const auto marked = write_private_file(folder / kMark, "");
  if (!marked) spdlog::warn("the mark is not written reason=\"{}\"", marked.error().message);
}

}  // namespace shoal

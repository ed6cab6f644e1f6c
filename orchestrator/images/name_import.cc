#include "orchestrator/images/name_import.h"

#include <spdlog/spdlog.h>

#include "orchestrator/images/own_images.h"
#include "orchestrator/trust/private_file.h"

namespace shoal {
namespace {

constexpr const char* kMark = "names-given";

struct Count {
  std::size_t given = 0;
  std::size_t existing = 0;
};

Result<void> import_repository(Store& store, ClusterNames& names, const Repository& repository,
                               Count& count) {
  const auto images = read_tags([&](const std::string& after, std::size_t limit) {
    return store.manifests().tags(repository, after, limit);
  });
  if (!images) return tl::unexpected(images.error());
  for (const auto& [digest, tags] : *images) {
    const auto info = store.manifests().stat(repository, digest, Wait::yes);
    if (!info) return tl::unexpected(info.error());
    const auto given = names.import(repository, *info, tags);
    if (!given) return tl::unexpected(given.error());
    count.given += *given;
    count.existing += tags.size() - *given;
  }
  return {};
}

}  // namespace

void import_names(Store& store, ClusterNames& names, const std::filesystem::path& folder) {
  std::error_code ignored;
  if (std::filesystem::exists(folder / kMark, ignored)) return;
  Count count;
  const auto imported = for_each_repository(store, [&](const Repository& repository) {
    return import_repository(store, names, repository, count);
  });
  if (!imported) {
    spdlog::warn("own tags not given to the cluster yet reason=\"{}\"", imported.error().message);
    return;
  }
  if (count.given + count.existing > 0) {
    spdlog::info("own tags given to the cluster given={} existing={}", count.given, count.existing);
  }
  const auto marked = write_private_file(folder / kMark, "");
  if (!marked) spdlog::warn("the mark is not written reason=\"{}\"", marked.error().message);
}

}  // namespace shoal

#include "registry/node_images.h"

#include <optional>
#include <unordered_set>
#include <vector>

#include <nlohmann/json.hpp>

#include "registry/image_content.h"
#include "registry/rfc3339.h"

namespace shoal {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kReferrersMax = 100;
// Entries of a list that one call to the store reads.
constexpr std::size_t kStoreWorkAtOnce = 1000;
constexpr std::size_t kRepositoriesAtOnce = 100;

std::string dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// Whether `digest` names a blob of the repository, and what it takes on disk.
void add_presence(Store& store, const Repository& repository, const Digest& digest, Json& entry) {
  const auto info = store.blobs().stat(repository, digest, Wait::yes);
  entry["present"] = info.has_value();
  if (info) entry["stored_bytes"] = info->stored_bytes;
}

Json describe(const ImagePart& part) {
  return {
      {"digest", part.digest.to_string()}, {"media_type", part.media_type}, {"size", part.size}};
}

/// What people look for in an image's config (OCI image-spec, "Image Configuration").
void add_config(Json& entry, const std::string& text) {
  const Json config = Json::parse(text, nullptr, false);
  if (!config.is_object()) return;
  const std::string platform = platform_of(text);
  if (!platform.empty()) entry["platform"] = platform;
  for (const char* field : {"created", "author"}) {
    if (config.contains(field) && config[field].is_string()) entry[field] = config[field];
  }
  if (!config.contains("config") || !config["config"].is_object()) return;
  const Json& run = config["config"];
  constexpr std::pair<const char*, const char*> kFields[] = {
      {"Entrypoint", "entrypoint"},  {"Cmd", "cmd"},       {"User", "user"},
      {"WorkingDir", "working_dir"}, {"Env", "env"},       {"ExposedPorts", "exposed_ports"},
      {"Volumes", "volumes"},        {"Labels", "labels"}, {"StopSignal", "stop_signal"},
  };
  for (const auto& [name, shown] : kFields) {
    if (run.contains(name) && !run[name].is_null() && run[name] != "") entry[shown] = run[name];
  }
}

Result<Json> list_referrers(Store& store, const Repository& repository, const Digest& subject,
                            bool& more) {
  Json list = Json::array();
  const auto page =
      store.manifests().referrers(repository, subject, {}, std::nullopt, kReferrersMax);
  if (!page) return tl::unexpected(page.error());
  for (const Referrer& referrer : page->entries) {
    Json entry = {{"digest", referrer.digest.to_string()},
                  {"media_type", referrer.media_type},
                  {"size", referrer.size}};
    if (!referrer.artifact_type.empty()) entry["artifact_type"] = referrer.artifact_type;
    if (!referrer.annotations.empty()) {
      entry["annotations"] = Json::parse(referrer.annotations, nullptr, false);
    }
    list.push_back(std::move(entry));
  }
  more = page->more;
  return list;
}

bool is_unknown(const Error& error) {
  return error.code == Errc::manifest_unknown || error.code == Errc::name_unknown;
}

/// The images of one repository, for list().
class ImageLister {
 public:
  ImageLister(Store& store, SharedImages* shared, std::size_t limit)
      : store_(store), shared_(shared), limit_(limit) {}

  [[nodiscard]] bool full() const { return images_.size() >= limit_; }

  /// Adds tags after `after` until the list is full.
  Result<void> add(const Repository& repository, const std::string& after) {
    const auto page = tags(repository, after, limit_ - images_.size());
    if (!page) return tl::unexpected(page.error());
    ImageSummaries summaries(store_, repository);
    for (const auto& tag : page->entries) {
      auto added = add(repository, tag, summaries);
      if (!added) return added;
      next_ = repository.text() + ':' + tag.tag;
    }
    more_ = page->more;
    return {};
  }

  Result<Page<std::string>> repositories(const std::string& after) {
    if (shared_ == nullptr) return store_.manifests().repositories(after, kRepositoriesAtOnce);
    auto names = shared_->repositories(after, kRepositoriesAtOnce);
    if (!names) return tl::unexpected(names.error());
    stale_ = stale_ || names->stale;
    return std::move(names->page);
  }

  NodeImages::Answer finish(bool more_repositories) {
    Json answer = {{"images", std::move(images_)}};
    if (more_ || more_repositories) answer["next"] = next_;
    if (stale_) answer["stale"] = true;
    return {dump(answer), stale_};
  }

 private:
  Result<Page<Manifests::TagEntry>> tags(const Repository& repository, const std::string& after,
                                         std::size_t limit) {
    if (shared_ == nullptr) return store_.manifests().tags(repository, after, limit);
    auto names = shared_->tags(repository, after, limit);
    if (!names) return tl::unexpected(names.error());
    stale_ = stale_ || names->stale;
    return std::move(names->page);
  }

  Result<void> add(const Repository& repository, const Manifests::TagEntry& tag,
                   ImageSummaries& summaries) {
    const auto stored = store_.manifests().get(repository, tag.digest, Wait::yes);
    if (!stored && is_unknown(stored.error())) {
      // Another node has it; or, without others, a delete ran meanwhile.
      if (shared_ != nullptr) add_absent(repository, tag);
      return {};
    }
    if (!stored) return tl::unexpected(stored.error());
    const ImageSummary& summary = summaries.of(stored->info, stored->content.view());
    images_.push_back({{"repository", repository.text()},
                       {"tag", tag.tag},
                       {"digest", tag.digest.to_string()},
                       {"media_type", stored->info.media_type},
                       {"size", summary.size},
                       {"platforms", summary.platforms},
                       {"pushed", rfc3339(stored->info.pushed)},
                       {"tagged", rfc3339(tag.tagged)},
                       {"present", true}});
    return {};
  }

  void add_absent(const Repository& repository, const Manifests::TagEntry& tag) {
    images_.push_back({{"repository", repository.text()},
                       {"tag", tag.tag},
                       {"digest", tag.digest.to_string()},
                       {"tagged", rfc3339(tag.tagged)},
                       {"present", false}});
  }

  Store& store_;
  SharedImages* const shared_;
  const std::size_t limit_;
  Json images_ = Json::array();
  std::string next_;
  bool more_ = false;
  bool stale_ = false;
};

/// What one repository names.
Result<Json> measure(Store& store, const Repository& repository) {
  std::uint64_t tags = 0;
  std::uint64_t manifests = 0;
  std::uint64_t bytes = 0;
  std::string after_tag;
  for (bool more = true; more;) {
    const auto page = store.manifests().tags(repository, after_tag, kStoreWorkAtOnce);
    if (!page) return tl::unexpected(page.error());
    tags += page->entries.size();
    more = page->more && !page->entries.empty();
    if (more) after_tag = page->entries.back().tag;
  }

  std::unordered_set<Digest> seen;
  const auto count = [&](const Digest& digest, std::uint64_t size) {
    if (seen.insert(digest).second) bytes += size;
  };
  std::optional<Digest> after;
  for (bool more = true; more;) {
    const auto page = store.manifests().list(repository, after, kStoreWorkAtOnce);
    if (!page) return tl::unexpected(page.error());
    for (const ManifestInfo& info : page->entries) {
      ++manifests;
      count(info.digest, info.size);
      const auto stored = store.manifests().get(repository, info.digest, Wait::yes);
      if (!stored) continue;
      const ImageContent content = parse_image_content(stored->content.view());
      if (content.config) count(content.config->digest, content.config->size);
      for (const ImagePart& layer : content.layers) count(layer.digest, layer.size);
    }
    more = page->more && !page->entries.empty();
    if (more) after = page->entries.back().digest;
  }
  return Json{{"repository", repository.text()},
              {"tags", tags},
              {"manifests", manifests},
              {"content_bytes", bytes}};
}

Json describe(const Usage& usage) {
  return {{"blobs", usage.blobs},
          {"content_bytes", usage.content_bytes},
          {"stored_bytes", usage.stored_bytes},
          {"uploads", usage.uploads},
          {"upload_bytes", usage.upload_bytes},
          {"arrivals", usage.arrivals},
          {"arrival_bytes", usage.arrival_bytes},
          {"quarantined", usage.quarantined},
          {"quota_bytes", usage.quota_bytes},
          {"disk_free_bytes", usage.disk_free_bytes}};
}

}  // namespace

Result<NodeImages::Answer> NodeImages::list(const std::optional<std::string>& repository,
                                            const std::string& last, std::size_t limit) {
  ImageLister lister(store_, shared_, limit);
  std::string after_repository;
  if (repository || !last.empty()) {
    // The page begins within a repository: after the tag where the last page ended.
    const auto name = ImageName::parse(last.empty() ? *repository : last);
    if (!name) return tl::unexpected(name.error());
    if (repository && name->repository.text() != *repository) {
      return fail(Errc::page_invalid, "`last` is no image of " + *repository);
    }
    const auto* tag = std::get_if<Tag>(&name->reference);
    auto added = lister.add(name->repository, tag != nullptr && !last.empty() ? tag->text() : "");
    // It may be gone since the last page; the next ones are still to be listed.
    const bool gone = !added && added.error().code == Errc::name_unknown && !repository;
    if (!added && !gone) return tl::unexpected(added.error());
    if (repository) return lister.finish(false);
    after_repository = name->repository.text();
  }

  for (bool more = true; more;) {
    const auto page = lister.repositories(after_repository);
    if (!page) return tl::unexpected(page.error());
    for (const std::string& text : page->entries) {
      if (lister.full()) return lister.finish(true);
      const auto name = Repository::parse(text);
      if (!name) return tl::unexpected(name.error());
      auto added = lister.add(*name, "");
      if (!added && added.error().code != Errc::name_unknown) return tl::unexpected(added.error());
    }
    more = page->more && !page->entries.empty();
    if (more) after_repository = page->entries.back();
  }
  return lister.finish(false);
}

/// The digest behind the name; the manifest is here on return.
Result<SharedImages::Named> NodeImages::find_shared(const ImageName& name) {
  if (const auto* tag = std::get_if<Tag>(&name.reference)) {
    return shared_->resolve(name.repository, *tag);
  }
  const auto& digest = std::get<Digest>(name.reference);
  if (!store_.manifests().stat(name.repository, digest, Wait::yes)) {
    const auto brought = shared_->bring_manifest(name.repository, digest);
    if (!brought) return tl::unexpected(brought.error());
  }
  return SharedImages::Named{digest};
}

Result<NodeImages::Answer> NodeImages::inspect(const ImageName& name) {
  const auto& repository = name.repository;
  ManifestReference reference = name.reference;
  bool stale = false;
  if (shared_ != nullptr) {
    const auto named = find_shared(name);
    if (!named) return tl::unexpected(named.error());
    reference = named->digest;
    stale = named->stale;
  }
  const auto stored = store_.manifests().get(repository, reference, Wait::yes);
  if (!stored) return tl::unexpected(stored.error());
  const std::string_view manifest = stored->content.view();
  const ImageContent content = parse_image_content(manifest);
  if (shared_ != nullptr && content.config && content.config->size <= kImageConfigBytesMax) {
    std::ignore =
        shared_->bring(repository, content.config->digest);  // It tells more, that is all.
  }
  ImageSummaries summaries(store_, repository);
  const ImageSummary& summary = summaries.of(stored->info, manifest);

  Json answer = {{"name", name.text()}, {"repository", repository.text()}};
  if (const auto* tag = std::get_if<Tag>(&name.reference)) answer["tag"] = tag->text();
  answer["digest"] = stored->info.digest.to_string();
  answer["media_type"] = stored->info.media_type;
  if (!content.artifact_type.empty()) answer["artifact_type"] = content.artifact_type;
  answer["size"] = summary.size;
  answer["manifest_size"] = stored->info.size;
  answer["pushed"] = rfc3339(stored->info.pushed);
  answer["platforms"] = summary.platforms;

  if (content.config) {
    Json config = describe(*content.config);
    add_presence(store_, repository, content.config->digest, config);
    add_config(config, read_image_config(store_, *content.config));
    answer["config"] = std::move(config);
  }
  answer["layers"] = Json::array();
  for (const ImagePart& layer : content.layers) {
    Json entry = describe(layer);
    add_presence(store_, repository, layer.digest, entry);
    answer["layers"].push_back(std::move(entry));
  }
  answer["manifests"] = Json::array();
  for (const ImagePart& child : content.manifests) {
    Json entry = describe(child);
    if (!child.platform.empty()) entry["platform"] = child.platform;
    const auto found = store_.manifests().get(repository, child.digest, Wait::yes);
    entry["present"] = found.has_value();
    if (found) entry["image_size"] = summaries.of(found->info, found->content.view()).size;
    answer["manifests"].push_back(std::move(entry));
  }

  bool more = false;
  auto referrers = list_referrers(store_, repository, stored->info.digest, more);
  if (!referrers) return tl::unexpected(referrers.error());
  answer["referrers"] = *std::move(referrers);
  answer["referrers_more"] = more;
  answer["manifest"] = Json::parse(manifest, nullptr, false);
  if (stale) answer["stale"] = true;
  return Answer{dump(answer), stale};
}

Result<std::string> NodeImages::remove_shared(const ImageName& name) {
  const auto* tag = std::get_if<Tag>(&name.reference);
  if (tag == nullptr) {
    const auto& digest = std::get<Digest>(name.reference);
    const auto removed = shared_->remove(name.repository, digest);
    if (!removed) return tl::unexpected(removed.error());
    return dump(
        {{"name", name.text()}, {"digest", digest.to_string()}, {"manifest_removed", true}});
  }
  const auto named = shared_->named(name.repository, *tag);
  if (!named) return tl::unexpected(named.error());
  const auto untagged = shared_->untag(name.repository, *tag);
  if (!untagged) return tl::unexpected(untagged.error());
  // The tag is gone; that other names cannot be asked for now leaves the manifest to its age.
  const auto removed = shared_->remove_unused(name.repository, *named);
  const bool gone = removed ? *removed : is_unknown(removed.error());
  return dump({{"name", name.text()}, {"digest", named->to_string()}, {"manifest_removed", gone}});
}

Result<std::string> NodeImages::remove(const ImageName& name) {
  if (shared_ != nullptr) return remove_shared(name);
  auto& manifests = store_.manifests();
  const auto info = manifests.stat(name.repository, name.reference, Wait::yes);
  if (!info) return tl::unexpected(info.error());
  Json answer = {{"name", name.text()}, {"digest", info->digest.to_string()}};

  const auto* tag = std::get_if<Tag>(&name.reference);
  if (tag == nullptr) {
    const auto removed = manifests.remove(name.repository, info->digest);
    if (!removed) return tl::unexpected(removed.error());
    answer["manifest_removed"] = true;
    return dump(answer);
  }
  const auto untagged = manifests.untag(name.repository, *tag);
  if (!untagged) return tl::unexpected(untagged.error());
  const auto removed = manifests.remove_unused(name.repository, info->digest);
  // Whoever removed it meanwhile has done what was asked for.
  if (!removed && !is_unknown(removed.error())) return tl::unexpected(removed.error());
  answer["manifest_removed"] = removed.value_or(true);
  return dump(answer);
}

Result<std::string> NodeImages::usage(const std::string& last, std::size_t limit) {
  const auto page = store_.manifests().repositories(last, limit);
  if (!page) return tl::unexpected(page.error());
  Json repositories = Json::array();
  for (const std::string& text : page->entries) {
    const auto name = Repository::parse(text);
    if (!name) return tl::unexpected(name.error());
    auto measured = measure(store_, *name);
    if (!measured && measured.error().code == Errc::name_unknown) continue;
    if (!measured) return tl::unexpected(measured.error());
    repositories.push_back(*std::move(measured));
  }
  Json answer = {{"usage", describe(store_.usage())}, {"repositories", std::move(repositories)}};
  if (page->more) answer["next"] = page->entries.back();
  return dump(answer);
}

}  // namespace shoal

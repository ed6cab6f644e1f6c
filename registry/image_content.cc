#include "registry/image_content.h"

#include <algorithm>
#include <unordered_set>

#include <nlohmann/json.hpp>

namespace shoal {
namespace {

using Json = nlohmann::json;

// Indexes of indexes exist; deeper ones, and circles, are somebody's experiment.
constexpr int kDepthMax = 4;

constexpr std::string_view kImageConfigs[] = {
    "application/vnd.oci.image.config.v1+json",
    "application/vnd.docker.container.image.v1+json",
};

std::string text_of(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::string platform_in(const Json& object) {
  const std::string os = text_of(object, "os");
  const std::string architecture = text_of(object, "architecture");
  if (os.empty() || architecture.empty()) return {};
  const std::string variant = text_of(object, "variant");
  return os + '/' + architecture + (variant.empty() ? "" : '/' + variant);
}

std::optional<ImagePart> part_of(const Json& json) {
  if (!json.is_object()) return std::nullopt;
  const auto digest = Digest::parse(text_of(json, "digest"));
  const auto size = json.find("size");
  if (!digest || size == json.end() || !size->is_number_unsigned()) return std::nullopt;
  const auto platform = json.find("platform");
  const bool has_platform = platform != json.end() && platform->is_object();
  return ImagePart{*digest, text_of(json, "mediaType"), size->get<std::uint64_t>(),
                   has_platform ? platform_in(*platform) : std::string()};
}

std::vector<ImagePart> parts_of(const Json& document, const char* name) {
  std::vector<ImagePart> parts;
  const auto list = document.find(name);
  if (list == document.end() || !list->is_array()) return parts;
  for (const Json& item : *list) {
    if (auto part = part_of(item)) parts.push_back(*std::move(part));
  }
  return parts;
}

/// Walks an image and its children, counting each piece of content once.
class Walk {
 public:
  Walk(Store& store, const Repository& repository) : store_(store), repository_(repository) {}

  void visit(const ManifestInfo& info, std::string_view manifest, const std::string& platform,
             int depth) {
    if (!count(info.digest, info.size)) return;
    const ImageContent content = parse_image_content(manifest);
    if (content.config) count(content.config->digest, content.config->size);
    for (const ImagePart& layer : content.layers) count(layer.digest, layer.size);

    if (!platform.empty()) {
      add_platform(platform);
    } else if (content.config) {
      add_platform(platform_of(read_image_config(store_, *content.config)));
    }
    if (depth == kDepthMax) return;
    for (const ImagePart& child : content.manifests) {
      const auto stored = store_.manifests().get(repository_, child.digest, Wait::yes);
      if (stored)
        visit(stored->info, stored->content.view(), child.platform, depth + 1);
      else
        add_platform(child.platform);
    }
  }

  ImageSummary take() { return std::move(summary_); }

 private:
  bool count(const Digest& digest, std::uint64_t size) {
    const bool is_new = seen_.insert(digest).second;
    if (is_new) summary_.size += size;
    return is_new;
  }

  void add_platform(const std::string& platform) {
    // BuildKit's attestations are children for this platform.
    if (platform.empty() || platform == "unknown/unknown") return;
    auto& platforms = summary_.platforms;
    if (std::find(platforms.begin(), platforms.end(), platform) == platforms.end()) {
      platforms.push_back(platform);
    }
  }

  Store& store_;
  const Repository& repository_;
  std::unordered_set<Digest> seen_;
  ImageSummary summary_;
};

}  // namespace

ImageContent parse_image_content(std::string_view manifest) {
  ImageContent content;
  const Json document = Json::parse(manifest, nullptr, false);
  if (!document.is_object()) return content;
  content.artifact_type = text_of(document, "artifactType");
  const auto config = document.find("config");
  if (config != document.end()) content.config = part_of(*config);
  content.layers = parts_of(document, "layers");
  content.manifests = parts_of(document, "manifests");
  return content;
}

std::string platform_of(std::string_view json) {
  const Json object = Json::parse(json, nullptr, false);
  return object.is_object() ? platform_in(object) : std::string();
}

std::string read_image_config(Store& store, const ImagePart& config) {
  const bool is_image = std::find(std::begin(kImageConfigs), std::end(kImageConfigs),
                                  config.media_type) != std::end(kImageConfigs);
  if (!is_image) return {};
  const auto reader = store.blobs().open_any(config.digest, Wait::yes);
  if (!reader) return {};
  const std::uint64_t size = (*reader)->info().size;
  if (size > kImageConfigBytesMax) return {};
  std::string text;
  while (text.size() < size) {
    const auto bytes = (*reader)->read(text.size(), size - text.size(), Wait::yes);
    if (!bytes) return {};
    text += bytes->view();
  }
  return text;
}

const ImageSummary& ImageSummaries::of(const ManifestInfo& info, std::string_view manifest) {
  const auto known = known_.find(info.digest);
  if (known != known_.end()) return known->second;
  Walk walk(store_, repository_);
  walk.visit(info, manifest, "", 0);
  return known_.emplace(info.digest, walk.take()).first->second;
}

}  // namespace shoal

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "storage/manifests.h"
#include "storage/store.h"

namespace shoal {

/// Larger config blobs are no image's, and not read.
inline constexpr std::uint64_t kImageConfigBytesMax = 4 << 20;

/// A manifest's pointer to other content.
struct ImagePart {
  Digest digest;
  std::string media_type;
  std::uint64_t size;    // As the manifest says; bytes.
  std::string platform;  // `linux/arm64/v8`; only where an index says it.
};

/// What a stored manifest consists of.
struct ImageContent {
  std::string artifact_type;
  std::optional<ImagePart> config;
  std::vector<ImagePart> layers;
  std::vector<ImagePart> manifests;  // Of an index.
};

/// Reads a manifest that the registry accepted; what is not as expected is left out.
[[nodiscard]] ImageContent parse_image_content(std::string_view manifest);

/// `os/architecture[/variant]` of a platform object or an image config, as JSON text; empty if it
/// names none.
[[nodiscard]] std::string platform_of(std::string_view json);

/// The content of a config blob, if it is here, is an image's and is not too large; else empty.
[[nodiscard]] std::string read_image_config(Store& store, const ImagePart& config);

/// An image as one line of a list.
struct ImageSummary {
  std::uint64_t size = 0;  // Manifests, configs and layers, each once; bytes.
  std::vector<std::string> platforms;
};

/// Sums up images of one repository; remembers what it has read. May block.
class ImageSummaries {
 public:
  ImageSummaries(Store& store, const Repository& repository)
      : store_(store), repository_(repository) {}

  /// Of an image whose manifest has these bytes. Children that are not here count as nothing.
  [[nodiscard]] const ImageSummary& of(const ManifestInfo& info, std::string_view manifest);

 private:
  Store& store_;
  const Repository repository_;
  std::unordered_map<Digest, ImageSummary> known_;
};

}  // namespace shoal

#pragma once

#include <string_view>
#include <vector>

#include "orchestrator/placement/host_view.h"
#include "orchestrator/placement/placement_image.h"
#include "storage/error.h"

namespace shoal {

/// What a file of hosts says.
struct HostsFile {
  std::vector<HostView> hosts;
  std::vector<PlacementImage> images;
};

/// `{"nodes": [...], "images": {...}}`, or the list of nodes alone. docs/placement.md describes it;
/// fields that are not known are left alone, so that the node JSON of cccf's schedulers will do.
/// Fails with usage: where it is wrong, as a JSON pointer, and what stands there in sound files.
[[nodiscard]] Result<HostsFile> parse_hosts(std::string_view text);

/// `{"acme/web:1": {"layers": [...]}}`, with or without `{"images": ...}` around it.
[[nodiscard]] Result<std::vector<PlacementImage>> parse_images(std::string_view text);

}  // namespace shoal

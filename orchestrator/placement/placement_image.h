#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "orchestrator/placement/platform.h"
#include "storage/digest.h"

namespace shoal {

/// Of a layer whose unpacked size nobody has seen yet: that many times its compressed bytes.
inline constexpr double kUnpackedRatio = 2.5;

struct PlacementLayer {
  Digest digest;
  std::uint64_t bytes = 0;           // As it travels.
  std::uint64_t unpacked_bytes = 0;  // In the engine; 0 where it is not known.
};

/// What one platform gets.
struct PlacementManifest {
  Platform platform;  // Unknown: it fits all.
  std::vector<PlacementLayer> layers;
};

/// An image whose layers are known before it is anywhere: the registry has its manifests.
struct PlacementImage {
  std::string name;  // As the requests name it.
  std::vector<PlacementManifest> manifests;
};

}  // namespace shoal

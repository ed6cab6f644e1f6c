#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "bench/placement/model.h"
#include "orchestrator/placement/placer.h"

namespace shoal::bench {

/// SwarmKit's order (manager/scheduler/nodeset.go): tasks of the service, then all tasks; what is
/// equal is settled by a hash, as its heap settles it by chance.
[[nodiscard]] std::unique_ptr<ModelPlacer> make_swarmkit();

/// Kubernetes' scores, as far as they bear on this: PodTopologySpread over hosts (weight 2, maxSkew
/// 3, `raw = count * ln(domains + 2) + maxSkew - 1`, `100 * (max + min - raw) / max`),
/// LeastAllocated of a host that has room for three times the mean load (weight 1), and
/// ImageLocality (weight 1, `100 * (clamp(S, 23 Mi, 1000 Mi) - 23 Mi) / (1000 Mi - 23 Mi)` with S
/// the bytes of the image times the share of hosts that have it under its name).
[[nodiscard]] std::unique_ptr<ModelPlacer> make_kubernetes();

/// The placer of this program. `in_place`: replicas of a new version stay where those of the old
/// one were, as they do in the product; otherwise the old ones are forgotten first, as the others
/// do.
[[nodiscard]] std::unique_ptr<ModelPlacer> make_shoal(const PlacementOptions& options,
                                                      bool in_place);

/// The digest of a layer of the model.
[[nodiscard]] Digest digest_of(std::uint32_t layer);

}  // namespace shoal::bench

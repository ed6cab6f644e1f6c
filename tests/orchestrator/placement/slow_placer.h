#pragma once

#include "orchestrator/placement/placer.h"

namespace shoal {

/// What orchestrator/placement/placer.h promises, written down as plainly as can be: for each slot,
/// filters and keys of each host from scratch, out of lists of what is on it. Keeps nothing, shares
/// no code with the placer but expressions, ports and platforms, and is slow. Gives hosts, bytes,
/// seconds and unmet expressions, and for a slot that is placed, in its explanation, which filter
/// refused which hosts; no keys, no reasons and no problems.
[[nodiscard]] Placement place_slowly(const std::vector<PlacementRequest>& requests,
                                     const std::vector<HostView>& hosts,
                                     const std::vector<PlacementImage>& images,
                                     const PlacementOptions& options);

}  // namespace shoal

#pragma once

#include <cstdint>
#include <vector>

#include "p2p/swarm/transfer.h"

namespace shoal {

/// A transfer that wants its part of what this node receives.
struct RateClaim {
  SwarmClass of_class{};
  bool moves = false;       // Bytes came lately.
  std::uint64_t rate = 0;   // Bytes a second.
  std::uint64_t limit = 0;  // In force now; 0: none.
};

/// The limit of each, in bytes a second; 0: none. Transfers that are less urgent than one that
/// moves get a tenth of what comes, all of a class together, and copies never more than
/// `copies_rate` (0: no limit). Only the receiver knows the classes; seeds serve all alike. A limit
/// that is about right stays as it is.
[[nodiscard]] std::vector<std::uint64_t> share_rates(const std::vector<RateClaim>& claims,
                                                     std::uint64_t copies_rate);

}  // namespace shoal

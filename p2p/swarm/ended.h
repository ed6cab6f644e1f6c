#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "p2p/swarm/session.h"
#include "p2p/swarm/transfer.h"
#include "p2p/swarm/tunnels.h"

namespace shoal {

struct SwarmGoing;

/// A transfer that has ended.
struct SwarmEnded {
  Digest digest;
  std::string repository{};
  SwarmClass of_class{};
  std::uint64_t bytes = 0;
  std::uint64_t arrived_bytes = 0;
  std::chrono::milliseconds took{};
  /// How often the time that its fastest second would have taken for all of it; 0: too short to
  /// say.
  double over_best = 0;
  std::vector<std::pair<std::string, std::uint64_t>> sources{};  // Nodes, "https", and their bytes.
  std::optional<Error> error{};
};

/// Of a transfer that ends now. `counts`: what the session has of it, whose addresses the tunnels
/// know. Who sent wrong pieces is logged.
[[nodiscard]] SwarmEnded ended_now(const SwarmGoing& of,
                                   const std::optional<SwarmSession::Counts>& counts,
                                   const SwarmTunnels& tunnels, const Result<void>& how);

/// A line in the log, with its bytes by source.
void log_end(const SwarmEnded& ended);

}  // namespace shoal

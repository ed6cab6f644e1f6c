#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "orchestrator/cluster_config.h"
#include "orchestrator/membership/join.h"
#include "orchestrator/trust/authority.h"
#include "orchestrator/trust/node_identity.h"

namespace shoal {

/// Which cluster this node is a member of, and as whom. Kept in the folder `cluster` of the node's
/// data: `node.pem`, `state.json`, and on the first node `authority.pem` and `state/`.
struct Enrolment {
  NodeIdentity identity;
  std::optional<Authority> authority;  // On the node that created the cluster.
  StateLocation state;
  bool fresh = false;  // It was created or joined just now.
};

/// What a former start left; else it joins the cluster that the configuration names, or creates
/// one. `self` describes this node; its id is set. Blocking, up to the progress timeout of each
/// node that it tries to join through.
/// Fails as join() does, with usage, corrupt or io.
[[nodiscard]] Result<Enrolment> enrol(const ClusterConfig& config,
                                      const std::filesystem::path& folder, Member& self);

/// Remembers that the state is somewhere else now. Fails with disk_full or io.
[[nodiscard]] Result<void> save_state_location(const std::filesystem::path& folder,
                                               const StateLocation& location);

}  // namespace shoal

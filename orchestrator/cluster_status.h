#pragma once

#include <string>

#include "orchestrator/images/replicas.h"
#include "orchestrator/membership/membership.h"
#include "orchestrator/state/election.h"
#include "orchestrator/state/migrate.h"
#include "p2p/fetch/blob_fetch.h"
#include "p2p/swarm/swarm.h"

namespace shoal {

/// What this node knows of the cluster, as JSON:
///   {"alone":false,"cluster":"c-...","node":"n-...",
///    "state":{"driver":"embedded","available":true},  see StateHome::description()
///    "leader":{"id":"n-...","name":"host-a"} or null,
///    "replicas":{"wanted":2,"images":1,"short":0,"copies":0,"checked":true},
///    "transfers":{"now":0,"stored":0,"bytes":0,"wrong":0},
///    "members":[{"id":...,"name":...,"live":true, as MembershipApi's NODE}]}
/// `replicas` are those of the images that this node looks after.
struct ClusterStatus {
  std::string cluster;
  std::string node;
  std::string state;
  bool state_available = false;
  Election::Standing standing;
  Replicas::Status replicas;
  BlobFetch::Status transfers;
  Swarm::Totals swarm;  // Not in the JSON: see transfers_json.h.
  std::vector<NodeView> members;
};

[[nodiscard]] std::string to_json(const ClusterStatus& status);

/// A move of the state under way, `{"keys":1,"total":2}`, and at its end,
/// `{"keys":2,"bytes":300,"late":0,"done_before":false}`.
[[nodiscard]] std::string to_json(const MigrateProgress& progress);
[[nodiscard]] std::string to_json(const MigrateReport& report);

}  // namespace shoal

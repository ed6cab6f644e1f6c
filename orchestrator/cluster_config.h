#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/ip/tcp.hpp>

#include "orchestrator/images/replica_policy.h"
#include "p2p/swarm/session.h"

namespace shoal {

/// Where the cluster's state lives, as the first node is told; the others learn it when they join.
struct StateConfig {
  std::string url = "embedded";  // Or `etcd://h1:2379,h2:2379`, `etcds://...` (state_url.h).
  std::filesystem::path ca;      // PEM files, for etcds.
  std::filesystem::path certificate;
  std::filesystem::path key;
  std::string user;  // "": without authentication.
  std::filesystem::path password_file;
};

/// A node's part in a cluster. The defaults make a node that stands alone.
struct ClusterConfig {
  std::vector<std::string> listen;     // HOST:PORT for other nodes; empty: stands alone.
  std::vector<std::string> advertise;  // How others reach it; empty: what `listen` says.
  std::vector<std::string> join;       // Nodes to join through, on the first start.
  std::string token;                   // From `shoal token create`, for the first start.
  std::map<std::string, std::string> labels;
  std::string name;  // For people; "": the host's name.
  StateConfig state;
  ReplicaPolicy replicas;
  std::chrono::seconds repair_delay{30};  // From a change of members to the copies it calls for.
  std::chrono::seconds liveness{15};      // At least so long is a silent node taken for alive.
  std::chrono::seconds certificate_lifetime = std::chrono::hours(24 * 30);
  SwarmRates swarm_rates;
  /// Of the loopback: where every client of this host may speak BitTorrent with this node, without
  /// authentication (open_swarm.h). Nothing: nodes alone do, through `listen`.
  std::optional<boost::asio::ip::tcp::endpoint> swarm_open;
};

}  // namespace shoal

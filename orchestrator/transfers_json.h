#pragma once

#include <string>
#include <vector>

#include "orchestrator/membership/membership.h"
#include "p2p/swarm/swarm.h"

namespace shoal {

/// Where the node's own API has it.
inline constexpr const char* kTransfersPath = "/shoal/v1/transfers";

/// What moves between this node and others by the swarm, what did, and how much in all; empty for
/// a node that stands alone. As JSON:
///   {"now":[{"digest":"sha256:...","repository":"app","class":"demand","arriving":true,
///            "bytes":1,"arrived_bytes":1,"pieces":1,"arrived_pieces":1,
///            "receive_rate":1,"send_rate":1,"redundant_bytes":0,"wrong_bytes":0,
///            "age_ms":1,"still_ms":0,"stalled":false,"eta_s":1.5,
///            "peers":[{"node":"n-...","name":"host-a","received_bytes":1,"sent_bytes":1,
///                      "receive_rate":1,"send_rate":1,"pieces":1,"connected":true}]}],
///    "ended":[{"digest":"sha256:...","repository":"app","class":"demand",
///              "bytes":1,"arrived_bytes":1,"ms":1,"over_best":1.08,
///              "sources":[{"node":"n-...","name":"host-a","bytes":1}],"error":null}],
///    "totals":{"now":0,"finished":0,"finished_bytes":0,"failed":0,"wrong":0,"https_bytes":0,
///              "torrents":0,"tunnels":0,"received_bytes":0,"sent_bytes":0,"waiting_bytes":0,
///              "lent_bytes":0}}
/// Rates are bytes a second. A torrent with `arriving` false is only given to others: its class is
/// null. `stalled`: bytes are missing, and none came for 2 s. `eta_s` is null where nothing comes,
/// `over_best` where the transfer failed or was too short to say, `error` where it succeeded. A
/// node is an id, or "https": what came over HTTPS; its name stands beside it if the members'
/// labels say it.
struct TransfersStatus {
  std::vector<Swarm::View> now;
  std::vector<SwarmEnded> ended;
  Swarm::Totals totals;
  std::vector<NodeView> members;  // For their names.
};

[[nodiscard]] std::string to_json(const TransfersStatus& status);

}  // namespace shoal

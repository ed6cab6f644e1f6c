#pragma once

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "p2p/peers.h"
#include "storage/error.h"
#include "storage/name.h"

namespace shoal {

/// When a push is acknowledged.
enum class Durability {
  local,       // As soon as this node has it; copies follow.
  replicated,  // When as many live nodes have it as the policy asks for.
};

/// How many nodes keep a pushed image, and where.
struct ReplicaPolicy {
  unsigned replicas = 2;  // With the node that it was pushed to; at most as many as live.
  /// By the first pattern that matches the repository's name (`team/*`: fnmatch(3), where `*` takes
  /// slashes too).
  std::vector<std::pair<std::string, unsigned>> patterns;
  std::string spread;  // A label whose values shall differ between the copies; "": none.
  Durability durability = Durability::replicated;

  [[nodiscard]] unsigned replicas_of(const Repository& repository) const;
  /// The largest number that any repository may have.
  [[nodiscard]] unsigned replicas_max() const;
};

/// `team/*=3`. Fails with usage.
[[nodiscard]] Result<std::pair<std::string, unsigned>> parse_replica_pattern(std::string_view text);

/// Which peers should get a copy so that `replicas` have one, best first; empty when nothing is
/// missing or nobody is left. `ranked` are the live peers in the order of the image's own
/// preference (rendezvous.h): all nodes that ask come to the same answer. Draining peers neither
/// count nor get one. With `spread`, values of that label without a copy come first, and are
/// served even where the number alone would be enough.
[[nodiscard]] std::vector<Peer> replica_targets(const std::vector<Peer>& ranked,
                                                const std::set<std::string>& holders,
                                                unsigned replicas, const std::string& spread);

/// Whether `self`, a holder, may let the content go: when `replicas` other holders, draining ones
/// not counted, stand before it in the ranking. So of all that ask at the same time, those keep it
/// that the ranking names first, and never do all let it go.
[[nodiscard]] bool is_expendable(const std::vector<Peer>& ranked,
                                 const std::set<std::string>& holders, const std::string& self,
                                 unsigned replicas);

}  // namespace shoal

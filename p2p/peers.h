#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace shoal {

/// A node of the cluster, as others reach it.
struct Peer {
  std::string id;                             // Never changes; the name in its certificate.
  std::vector<std::string> urls;              // `https://10.0.0.7:5001`, in order of preference.
  std::map<std::string, std::string> labels;  // `dc` -> `west`.
  bool draining = false;                      // On its way out: gets no copies, counts as none.

  bool operator==(const Peer&) const = default;
};

/// The nodes that live, as of one moment. Immutable.
struct PeerSet {
  std::string self;         // This node's id.
  std::vector<Peer> peers;  // With this node, sorted by id.

  /// Null when it does not live.
  [[nodiscard]] const Peer* find(const std::string& id) const;
};

/// Who lives. Somebody above knows; the swarm only asks. Thread-safe; never blocks for long.
class Peers {
 public:
  virtual ~Peers() = default;
  [[nodiscard]] virtual std::shared_ptr<const PeerSet> now() const = 0;
  /// Calls `changed` after each change of the set until the handle is destroyed; from any thread,
  /// so it must only post or notify. Destroying the handle waits for a call that is under way.
  [[nodiscard]] virtual std::shared_ptr<void> subscribe(std::function<void()> changed) = 0;
};

}  // namespace shoal

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "orchestrator/placement/request_class.h"

namespace shoal {

/// The order in which a strategy looks at the numbers of a host. Smaller is better in all of them.
enum class KeyKind : std::uint8_t {
  unmet,        // Soft expressions, bit by bit.
  skew,         // Replicas above what a spread label allows.
  replicas,     // Of the service, on the host.
  overload,     // 0 or 1.
  ready,        // Seconds until ready, in steps of 250 ms.
  containers,   // On the host.
  fullest,      // Used memory and cpu, turned round.
  weight,       // Classic Swarm's, spread,
  weight_down,  // and binpack.
  containers_down,
  turn,    // How many hosts by name until it is this one's turn.
  random,  // Hash of seed, slot and host.
  hash     // Hash of service, slot and host.
};

/// The hosts of one slot, compared by the keys of the strategy. Short-lived: what it was made of
/// must be up to date and not change while it is there.
class Ranking {
 public:
  /// `turn` is the host after the one that was taken last, for `round-robin`.
  Ranking(const RequestClass& of, const PlacementRequest& request, NodeIndex turn);

  /// Of the hosts that pass the filters, the best one; but for `except`, if there is one.
  [[nodiscard]] std::optional<NodeIndex> best(std::optional<NodeIndex> except = {}) const;
  /// All numbers of a host, in words.
  [[nodiscard]] std::vector<KeyPart> parts(NodeIndex node) const;
  /// The number in which two hosts first differ; nothing if they are equal.
  [[nodiscard]] std::optional<std::size_t> first_difference(NodeIndex one, NodeIndex other) const;

 private:
  struct Key {
    KeyKind kind;
    std::size_t label = 0;  // Of `skew`: which of the spread labels.
  };

  [[nodiscard]] std::uint64_t value(const Key& key, NodeIndex node) const;
  [[nodiscard]] std::uint64_t percent_used(NodeIndex node) const;
  [[nodiscard]] std::uint64_t fullness(NodeIndex node) const;
  [[nodiscard]] KeyPart part(const Key& key, NodeIndex node) const;

  const RequestClass& class_;
  const World& world_;
  NodeIndex turn_;
  std::uint64_t slot_hash_;
  std::uint64_t random_hash_;
  std::vector<Key> keys_;
};

}  // namespace shoal

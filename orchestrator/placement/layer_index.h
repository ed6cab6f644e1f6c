#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "orchestrator/placement/host_view.h"
#include "orchestrator/placement/placement_image.h"

namespace shoal {

using NodeIndex = std::uint32_t;  // Of hosts in the order of their names.
using LayerId = std::uint32_t;

/// What a host lacks of an image, in bytes.
struct Lack {
  std::uint64_t from_peers = 0;     // Another host has them.
  std::uint64_t from_upstream = 0;  // No live host has them.
  std::uint64_t in_flight = 0;      // On their way already: part of the host's queue.
  std::uint64_t to_unpack = 0;      // Unpacked bytes that the engine does not have.

  [[nodiscard]] std::uint64_t to_arrive() const { return from_peers + from_upstream + in_flight; }
  /// What the disk must have room for.
  [[nodiscard]] std::uint64_t disk() const { return to_arrive() + to_unpack; }

  bool operator==(const Lack&) const = default;
};

/// By the formula in placer.h.
[[nodiscard]] double seconds_until_ready(const HostView& node, const Lack& lack);

/// Which host has how much of which layer, now and after what was placed. Layers that no image in
/// question has are left out. One thread.
class LayerIndex {
 public:
  /// The layer's number, the same for the same digest; the first sizes that are named count.
  LayerId add(const PlacementLayer& layer);
  /// A host's layers. Each host once, in the order of their numbers, after all layers were added.
  void add_held(NodeIndex index, const HostView& node);

  /// The host will have all of them.
  void expect(NodeIndex node, std::span<const LayerId> layers);

  [[nodiscard]] Lack lack(NodeIndex node, std::span<const LayerId> layers) const;
  /// The same for all hosts from 0 to lacks.size() at once, which is cheaper: adds to `lacks` for
  /// those hosts whose `counts` is not 0.
  void lacks(std::span<const LayerId> layers, std::span<const std::uint8_t> counts,
             std::span<Lack> lacks) const;
  /// Whether a live host has the layer, or will.
  [[nodiscard]] bool held_by_any(LayerId layer) const { return layers_[layer].whole_copies > 0; }

 private:
  struct Holding {
    NodeIndex node;
    bool fetching;
    bool unpacked;
    std::uint64_t missing;  // Bytes.
  };
  struct Layer {
    std::uint64_t bytes;
    std::uint64_t unpacked_bytes;
    std::uint32_t whole_copies = 0;   // On live hosts.
    std::vector<Holding> holdings{};  // In the order of the hosts.
  };

  static void charge(const Layer& layer, const Holding& holding, Lack& lack);

  std::unordered_map<Digest, LayerId> ids_;
  std::vector<Layer> layers_;
};

}  // namespace shoal

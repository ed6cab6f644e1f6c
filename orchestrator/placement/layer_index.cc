#include "orchestrator/placement/layer_index.h"

#include <algorithm>
#include <cmath>

namespace shoal {
namespace {

double seconds(std::uint64_t bytes, std::uint64_t rate) {
  return static_cast<double>(bytes) / static_cast<double>(std::max<std::uint64_t>(rate, 1));
}

}  // namespace

double seconds_until_ready(const HostView& node, const Lack& lack) {
  const auto queue = lack.to_arrive() > 0 ? node.queue_bytes : 0;
  return seconds(queue + lack.from_peers, node.rates.fetch) +
         seconds(lack.from_upstream, node.rates.upstream) +
         seconds(lack.to_unpack, node.rates.unpack);
}

LayerId LayerIndex::add(const PlacementLayer& layer) {
  const auto [entry, added] = ids_.try_emplace(layer.digest, static_cast<LayerId>(layers_.size()));
  if (added) {
    const auto guess = std::llround(static_cast<double>(layer.bytes) * kUnpackedRatio);
    layers_.push_back({layer.bytes, layer.unpacked_bytes > 0 ? layer.unpacked_bytes
                                                             : static_cast<std::uint64_t>(guess)});
  }
  return entry->second;
}

void LayerIndex::add_held(NodeIndex index, const HostView& node) {
  for (const auto& held : node.layers) {
    const auto entry = ids_.find(held.digest);
    if (entry == ids_.end()) continue;
    Layer& layer = layers_[entry->second];
    const auto bytes = std::min(held.bytes.value_or(layer.bytes), layer.bytes);
    const bool whole = bytes == layer.bytes;
    // Named twice: what it was named last counts.
    if (!layer.holdings.empty() && layer.holdings.back().node == index) {
      if (layer.holdings.back().missing == 0 && node.alive) --layer.whole_copies;
      layer.holdings.pop_back();
    }
    layer.holdings.push_back(
        {index, held.fetching && !whole, held.unpacked && whole, layer.bytes - bytes});
    if (whole && node.alive) ++layer.whole_copies;
  }
}

void LayerIndex::expect(NodeIndex node, std::span<const LayerId> layers) {
  for (const auto id : layers) {
    Layer& layer = layers_[id];
    const Holding future{node, false, true, 0};
    const auto at = std::lower_bound(
        layer.holdings.begin(), layer.holdings.end(), node,
        [](const Holding& holding, NodeIndex wanted) { return holding.node < wanted; });
    if (at == layer.holdings.end() || at->node != node) {
      layer.holdings.insert(at, future);
      ++layer.whole_copies;
    } else {
      if (at->missing > 0) ++layer.whole_copies;
      *at = future;
    }
  }
}

void LayerIndex::charge(const Layer& layer, const Holding& holding, Lack& lack) {
  if (!holding.unpacked) lack.to_unpack += layer.unpacked_bytes;
  if (holding.fetching)
    lack.in_flight += holding.missing;
  else if (layer.whole_copies > 0)
    lack.from_peers += holding.missing;
  else
    lack.from_upstream += holding.missing;
}

Lack LayerIndex::lack(NodeIndex node, std::span<const LayerId> layers) const {
  Lack lack;
  for (const auto id : layers) {
    const Layer& layer = layers_[id];
    const auto at = std::lower_bound(
        layer.holdings.begin(), layer.holdings.end(), node,
        [](const Holding& holding, NodeIndex wanted) { return holding.node < wanted; });
    const bool here = at != layer.holdings.end() && at->node == node;
    charge(layer, here ? *at : Holding{node, false, false, layer.bytes}, lack);
  }
  return lack;
}

void LayerIndex::lacks(std::span<const LayerId> layers, std::span<const std::uint8_t> counts,
                       std::span<Lack> lacks) const {
  for (const auto id : layers) {
    const Layer& layer = layers_[id];
    auto next = layer.holdings.begin();
    for (NodeIndex node = 0; node < lacks.size(); ++node) {
      const bool here = next != layer.holdings.end() && next->node == node;
      if (counts[node] != 0) {
        charge(layer, here ? *next : Holding{node, false, false, layer.bytes}, lacks[node]);
      }
      if (here) ++next;
    }
  }
}

}  // namespace shoal

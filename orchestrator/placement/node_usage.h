#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "orchestrator/placement/host_view.h"
#include "orchestrator/placement/layer_index.h"

namespace shoal {

/// What of a host is taken, by what runs there and by what was placed there.
struct NodeUsage {
  /// Takes `view`, which must outlive it, but for those of its containers that `skip` names.
  NodeUsage(const HostView& view, double overcommit,
            const std::unordered_set<std::string_view>& skip);

  /// A container that is placed here.
  void add(const PlacementRequest& request, const Lack& lack);

  /// Of the host's cpu, in MHz. A host whose cores have no speed counts 1000 MHz for each.
  [[nodiscard]] std::uint64_t cpu_of(const Resources& resources) const;
  [[nodiscard]] const HostPort* taken(const HostPort& wanted) const;

  const HostView* view;
  std::uint64_t hash;  // Of the host's name.
  bool usable;         // Alive, healthy, not draining: part of the mean load.
  std::uint64_t memory_total;
  std::uint64_t cpu_total;
  std::optional<std::uint64_t> containers_max;  // Nothing: as many as come.
  std::uint64_t memory_used = 0;
  std::uint64_t cpu_used = 0;
  std::uint64_t containers = 0;  // That run. Those that were stopped are no load.
  std::uint64_t disk_taken = 0;  // By images that were placed and are not there yet.
  std::vector<HostPort> ports;   // Of stopped ones as well: they could be started again.
  std::unordered_set<std::string_view> names;
};

}  // namespace shoal

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "orchestrator/placement/placer.h"

namespace shoal {

inline constexpr std::uint64_t kMiB = 1 << 20;

/// For tests: throws what was wrong.
[[nodiscard]] Expression expression(std::string_view text);

/// `host-0` to `host-N`, alive and without anything known about them.
[[nodiscard]] std::vector<HostView> hosts(std::size_t count);

/// A container that runs.
[[nodiscard]] HostContainer container(const std::string& name, const std::string& service = {});

/// `service` of `image` with the slot's own name.
[[nodiscard]] PlacementRequest request(const std::string& slot, const std::string& service = {},
                                       const std::string& image = "app:1");

/// Slots `name`, `name-scale-1` and so on.
[[nodiscard]] std::vector<PlacementRequest> replicas(const PlacementRequest& sample,
                                                     std::size_t count);

/// Layers of so many MiB; the digest is that of the layer's name.
struct NamedLayer {
  const char* name;
  std::uint64_t mib;
};
[[nodiscard]] PlacementImage image(const std::string& name, const std::vector<NamedLayer>& layers);
[[nodiscard]] HeldLayer held(const char* name);

/// place(), which must succeed.
[[nodiscard]] Placement placed(const std::vector<PlacementRequest>& requests,
                               const std::vector<HostView>& hosts,
                               const std::vector<PlacementImage>& images = {},
                               const PlacementOptions& options = {});

/// The name of the host of each slot; empty for one without.
[[nodiscard]] std::vector<std::string> hosts_of(const Placement& placement,
                                                const std::vector<HostView>& hosts);

/// What is asked of a cluster that a seed makes up.
struct RandomCluster {
  std::vector<PlacementRequest> requests;
  std::vector<HostView> hosts;
  std::vector<PlacementImage> images;
  PlacementOptions options;
};

/// Small enough for conflicts of every kind: hosts that are dead, drained, full; platforms, labels,
/// expressions hard and soft, ports, layers whole, partial and in flight, replicas that run.
[[nodiscard]] RandomCluster random_cluster(std::uint64_t seed);

}  // namespace shoal

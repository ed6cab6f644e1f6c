#include "orchestrator/placement/node_usage.h"

#include <algorithm>

#include "orchestrator/placement/rendezvous_hash.h"
#include "storage/number.h"

namespace shoal {
namespace {

constexpr std::uint64_t kNominalMhz = 1000;
constexpr std::string_view kSlotsLabel = "containerslots";

std::uint64_t with_overcommit(std::uint64_t total, double overcommit) {
  return total + static_cast<std::uint64_t>(static_cast<double>(total) * overcommit);
}

std::uint64_t cpu_total_of(const HostView& view) {
  return view.cpu_mhz > 0 ? view.cpu_mhz : view.cores * kNominalMhz;
}

std::optional<std::uint64_t> slots_of(const HostView& view) {
  const auto label = view.labels.find(std::string(kSlotsLabel));
  return label == view.labels.end() ? std::nullopt : parse_number(label->second);
}

}  // namespace

NodeUsage::NodeUsage(const HostView& node, double overcommit,
                     const std::unordered_set<std::string_view>& skip)
    : view(&node),
      hash(hash_of(node.name)),
      usable(node.alive && !node.draining && node.health > 0),
      memory_total(with_overcommit(node.memory_bytes, overcommit)),
      cpu_total(with_overcommit(cpu_total_of(node), overcommit)),
      containers_max(slots_of(node)) {
  for (const auto& container : node.containers) {
    if (skip.count(container.name) > 0) continue;
    names.insert(container.name);
    ports.insert(ports.end(), container.ports.begin(), container.ports.end());
    if (!container.running) continue;
    ++containers;
    memory_used += container.resources.memory_bytes;
    cpu_used += cpu_of(container.resources);
  }
}

void NodeUsage::add(const PlacementRequest& request, const Lack& lack) {
  ++containers;
  memory_used += request.resources.memory_bytes;
  cpu_used += cpu_of(request.resources);
  disk_taken += lack.disk();
  ports.insert(ports.end(), request.ports.begin(), request.ports.end());
  names.insert(request.slot);
}

std::uint64_t NodeUsage::cpu_of(const Resources& resources) const {
  if (resources.cpu_thousandths == 0) return resources.cpu_mhz;
  const auto speed =
      view->cpu_mhz > 0 && view->cores > 0 ? view->cpu_mhz / view->cores : kNominalMhz;
  return resources.cpu_mhz + (resources.cpu_thousandths * speed + 999) / 1000;
}

const HostPort* NodeUsage::taken(const HostPort& wanted) const {
  const auto found = std::find_if(ports.begin(), ports.end(),
                                  [&](const HostPort& port) { return clash(port, wanted); });
  return found == ports.end() ? nullptr : &*found;
}

}  // namespace shoal

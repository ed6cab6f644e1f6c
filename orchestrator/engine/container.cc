#include "orchestrator/engine/container.h"

#include <utility>

#include <fmt/format.h>

namespace shoal {
namespace {

constexpr std::size_t kIdDigits = 64;

}  // namespace

const char* to_string(ContainerPhase phase) {
  switch (phase) {
    case ContainerPhase::created: return "created";
    case ContainerPhase::running: return "running";
    case ContainerPhase::paused: return "paused";
    case ContainerPhase::restarting: return "restarting";
    case ContainerPhase::removing: return "removing";
    case ContainerPhase::exited: return "exited";
    case ContainerPhase::dead: return "dead";
    case ContainerPhase::unknown: break;
  }
  return "unknown";
}

OwnedContainer::OwnedContainer(std::string id, std::string name, std::optional<SlotLabels> labels)
    : id_(std::move(id)), name_(std::move(name)), labels_(std::move(labels)) {}

std::optional<OwnedContainer> OwnedContainer::of(const Container& container,
                                                 const std::string& cluster) {
  auto labels = SlotLabels::parse(container.labels);
  if (!labels || labels->owner != cluster) return std::nullopt;
  return OwnedContainer(container.id, container.name, std::move(labels));
}

Result<OwnedContainer> OwnedContainer::adopt(const Container& container, const std::string& id,
                                             const std::string& cluster) {
  if (id.size() != kIdDigits || container.id != id) {
    return fail(Errc::usage, fmt::format("to adopt `{}`, name it by its whole id, `{}`",
                                         container.name, container.id));
  }
  const auto owner = container.labels.find(kOwnerLabel);
  if (owner != container.labels.end() && owner->second != cluster) {
    return fail(Errc::conflict, fmt::format("the container `{}` belongs to the cluster {}",
                                            container.name, owner->second));
  }
  return OwnedContainer(container.id, container.name, std::nullopt);
}

}  // namespace shoal

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "orchestrator/engine/labels.h"
#include "orchestrator/engine/log_cursor.h"

namespace shoal {

/// Where a container is in its life, as both engines name it. Podman's `initialized`, `configured`
/// and `stopped` are created, created and exited.
enum class ContainerPhase { created, running, paused, restarting, removing, exited, dead, unknown };

[[nodiscard]] const char* to_string(ContainerPhase phase);

/// A container as the engine tells of it.
struct Container {
  std::string id;     // 64 hex digits.
  std::string name;   // Without the slash that the API puts before it.
  std::string image;  // The reference it was created with.
  ContainerPhase phase = ContainerPhase::unknown;
  LabelMap labels;

  // From inspect alone.
  int exit_code = 0;
  std::uint32_t restarts = 0;  // By the engine.
  bool out_of_memory = false;
  bool terminal = false;  // Its log has no frames.
  std::string error;      // Why it did not start.
  std::optional<EngineTime> started;
  std::optional<EngineTime> finished;
  bool host_network = false;  // Its ports are the host's.
  std::string address;        // Its own, on a network of the engine; empty: none.
  std::string engine_health;  // `starting`, `healthy`, `unhealthy`; empty: the image has no check.
                              // One input among others: podman without systemd never leaves the
                              // first.

  /// It runs, or the engine is about to make it run.
  [[nodiscard]] bool active() const {
    return phase == ContainerPhase::running || phase == ContainerPhase::paused ||
           phase == ContainerPhase::restarting;
  }
};

/// A container that this cluster may change. There are two ways to one: it carries the cluster's
/// labels, or an operator named it by its whole id. Every call of Engine that changes a container
/// takes one of these, so what shoal did not create cannot be touched by mistake.
class OwnedContainer {
 public:
  /// Nothing if it is not `cluster`'s.
  [[nodiscard]] static std::optional<OwnedContainer> of(const Container& container,
                                                        const std::string& cluster);
  /// An operator's explicit order to take over a container of somebody else. `id` is all 64 hex
  /// digits of it, as the operator saw them: a name may mean another container by now. Fails with
  /// usage if they are not `container`'s, and with conflict if it belongs to another cluster.
  [[nodiscard]] static Result<OwnedContainer> adopt(const Container& container,
                                                    const std::string& id,
                                                    const std::string& cluster);

  [[nodiscard]] const std::string& id() const { return id_; }
  [[nodiscard]] const std::string& name() const { return name_; }
  /// Nothing if it was adopted.
  [[nodiscard]] const std::optional<SlotLabels>& labels() const { return labels_; }

 private:
  OwnedContainer(std::string id, std::string name, std::optional<SlotLabels> labels);

  std::string id_;
  std::string name_;
  std::optional<SlotLabels> labels_;
};

/// An image that the engine holds.
struct EngineImage {
  std::string id;  // `sha256:...` of its config.
  std::vector<std::string> repo_digests;
  std::uint64_t bytes = 0;  // Unpacked.
};

/// What tells of a container's life, both engines in one vocabulary. Only a hint: events get lost
/// and repeated; look at the container.
struct EngineEvent {
  enum class Kind { created, started, died, stopped, removed, renamed, health, other };
  Kind kind = Kind::other;
  std::string id;  // The container's.
  LabelMap labels;
  EngineTime time;
};

}  // namespace shoal

#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "orchestrator/cccf/service.h"
#include "orchestrator/engine/container.h"
#include "orchestrator/engine/health_tracker.h"
#include "orchestrator/engine/image_reference.h"

namespace shoal {

/// What shall become of one slot on this host.
struct WantedSlot {
  enum class Order { stop_first, start_first };
  enum class Restart { always, on_failure, never };  // Of a container that ended by itself.

  std::string service;
  std::string slot;  // And the container's name.
  std::uint64_t generation = 0;
  std::string spec_hash;  // CccfService's. With the image's digest it says what runs.
  ImageReference image;
  std::string image_text;  // What the user wrote.
  std::string document;    // See create_document.h.
  static constexpr std::chrono::milliseconds kStopGrace{10'000};
  std::chrono::milliseconds stop_grace = kStopGrace;
  Restart restart = Restart::always;
  Order order = Order::stop_first;
  std::optional<CccfHealthCheck> health{};  // Nothing: it is well as soon as it runs.
  std::vector<CccfPort> ports{};            // Published on the host, for that check.
  /// The gate: whether a container of an earlier spec may be stopped for this one, or, if `run` is
  /// false, at all. Until then it is kept running.
  bool take_over = false;
  /// False: the slot is given up; what there is of it is stopped and removed.
  bool run = true;
  /// All 64 hex digits of a container that an operator ordered to be taken over: it counts as the
  /// slot's oldest container. Empty: none.
  std::string adopt{};

  [[nodiscard]] SlotLabels labels(const std::string& cluster) const;
  /// Whether a container with these labels is what is wanted, whatever its generation.
  [[nodiscard]] bool is_met_by(const SlotLabels& labels) const;
};

/// All that this host shall run, as the leader wrote it. A slot that is not in it is not ours to
/// run; see Sweep.
struct Assignment {
  std::string cluster;
  std::uint64_t generation = 0;  // Of the newest slot that the leader had placed when it wrote it.
  std::vector<WantedSlot> slots;
};

/// What to do with containers of this cluster whose slot the assignment does not name: leftovers of
/// creates whose answers were lost, or of a host that was away.
enum class Sweep {
  off,
  report,  // Say so.
  remove,  // Stop and remove them.
};

struct SeenContainer {
  OwnedContainer owned;
  ContainerPhase phase = ContainerPhase::unknown;
  int exit_code = 0;                // If it ended.
  Health health = Health::healthy;  // Of one that runs; healthy if it has no check.
  bool may_start = true;            // See RestartBackoff.
  bool hold_down = false;           // It flaps: it shall not run now, even if the engine starts it.
  bool swept = false;               // Its slot is not in the assignment, for longer than the grace.
};

/// What the host looks like.
struct SeenHost {
  std::vector<SeenContainer> containers;  // This cluster's, and those that were adopted.
  std::set<std::string> images;           // References that the engine holds.
  std::set<std::string> waiting;          // Slots whose last pull or create failed a moment ago.
  Sweep sweep = Sweep::report;
};

/// One change, which may be done twice without harm.
struct Step {
  enum class Kind { pull, create, start, stop, remove, rename };
  Kind kind;
  std::string slot;
  std::optional<OwnedContainer> container;  // Nothing for pull and create.
  std::string name;                         // For create and rename: the container's new name.
  std::string why;
};

/// Why a slot is not as it should be although there is no step to take now.
struct Hold {
  std::string slot;
  std::string why;
};

struct Steps {
  // At most one for each container, one pull for each image, and one create for each slot.
  std::vector<Step> steps;
  std::vector<Hold> holds;
};

[[nodiscard]] const char* to_string(Step::Kind kind);

/// The next steps from what is seen to what is wanted; none when there is nothing to do. Take them,
/// look again, ask again: every prefix of the way is a state from which it goes on.
///
/// It never stops a container of an earlier spec unless `take_over` is set and its successor is
/// created (so its image is there); never starts a second one of a slot with stop_first; keeps a
/// container that has the wanted spec, whatever its generation; and leaves alone what is of a later
/// generation than the assignment, which is then a stale one. Pure.
[[nodiscard]] Steps steps_of(const Assignment& wanted, const SeenHost& seen);

}  // namespace shoal

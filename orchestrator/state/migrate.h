#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "orchestrator/state/state.h"

namespace shoal {

/// In a state that was left for another one: where that is (StateUrl::text()). Members that read it
/// go there.
inline constexpr const char* kStateMoved = "moved";
/// In a state that is being filled from another one: which, and how far. Gone when it is done.
inline constexpr const char* kStateMigrating = "migrating";

struct MigrateProgress {
  std::uint64_t keys = 0;   // Written into the target by now.
  std::uint64_t total = 0;  // To be written, as far as is known.
};

struct MigrateReport {
  std::uint64_t keys = 0;    // That both states have.
  std::uint64_t bytes = 0;   // Of their values.
  std::uint64_t leased = 0;  // Left behind: their owners write them anew.
  std::uint64_t late = 0;    // Written at the old place while the members were told of the new one.
  bool done_before = false;  // All of it was done by an earlier run, and nothing now.
};

/// Copies all keys but leased ones from one state into an empty one, checks by listing both that
/// nothing differs, and writes kStateMoved with `to_url` into the old one; what members wrote there
/// until they heard of it is brought along, unless one of them has written the same key at the new
/// place since. May be interrupted and run again at any point.
///
/// Fails as a State does; with conflict also when the target holds keys that no interrupted copy of
/// this source has left there, when somebody writes into it meanwhile, or when the source was moved
/// elsewhere; with unavailable when the source is written to faster than it is copied.
[[nodiscard]] Result<MigrateReport> migrate(
    State& from, State& to, const std::string& to_url,
    const std::function<void(const MigrateProgress&)>& progress);

}  // namespace shoal

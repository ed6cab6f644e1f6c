#pragma once

#include "bench/report.h"
#include "bench/sim/world.h"

namespace shoal::sim {

/// What a world that has run came to; times in simulated seconds. The same world says the same,
/// byte for byte.
///
/// Completion is of hosts: from when a host first wanted something until it has all of it (W9: of
/// the blob that is wanted later), of those that live and did not fail. `unfinished` and `failed`
/// count transfers of hosts that live.
[[nodiscard]] bench::Report report(const World& world);

}  // namespace shoal::sim

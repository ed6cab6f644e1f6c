#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "orchestrator/cccf/document.h"

namespace shoal {

/// The document with each container as often as its `scale` says: the container itself, which keeps
/// its `scale`, then copies of it called `ID-scale-1` to `ID-scale-(n-1)` without one (as
/// cccf-scale 2.0.0). No container for a scale of 0. Copies that are there already are not made
/// again, so that scaling twice changes nothing.
/// A scale that is no whole number from 0 to kScaleMax is an error of the check `field`, and a
/// document that would become too large one of the check `size`; then the result is of no use.
[[nodiscard]] CccfDocument scale_up(const CccfDocument& document, CccfDiagnostics& problems);

/// The inverse: of a container X and containers `X-scale-N` (N from 1 on) that are as X is, but for
/// `host` and `scale`, X alone is left. X keeps its scale, and gets one if it has none. What else
/// has `-scale-` in its id stays.
[[nodiscard]] CccfDocument scale_down(const CccfDocument& document);

/// What an id of an instance is made of: `api-scale-2` is {"api", 2}; nothing for other ids.
struct InstanceId {
  std::string base;
  std::uint64_t number;
};
[[nodiscard]] std::optional<InstanceId> parse_instance_id(std::string_view id);

}  // namespace shoal

#pragma once

#include <optional>
#include <string>

#include "orchestrator/placement/ranking.h"

namespace shoal {

/// Why a slot goes to `winner`, as things stand before it is placed; without a ranking (it stays,
/// or has no host) only who refused.
[[nodiscard]] Explanation explain(const RequestClass& of, const Ranking* ranking,
                                  std::optional<NodeIndex> winner);

/// Why no host takes it: how many each filter refused, with one of them as an example.
[[nodiscard]] std::string problem_text(const RequestClass& of, const std::string& slot);

}  // namespace shoal

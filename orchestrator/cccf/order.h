#pragma once

#include <vector>

#include "orchestrator/cccf/document.h"

namespace shoal {

/// For each item how many others must run before it, one after the other: 0 for what depends on
/// nothing in the list, one more than the most of what it depends on otherwise (`depends`, `links`,
/// `volumes-from`; what depends on X depends on all instances of X). Who starts containers by
/// rising and stops them by falling depth respects dependencies. Items that depend on each other in
/// a circle are an error of the check `dependency-cycle`; then the result is of no use.
[[nodiscard]] std::vector<std::size_t> dependency_depths(const std::vector<CccfItem>& items,
                                                         CccfDiagnostics& problems);

}  // namespace shoal

#pragma once

#include <string>
#include <string_view>

#include "storage/error.h"

namespace shoal {

/// A new name for a node, `n-` and ten letters or digits of base32 (50 random bits): a DNS label,
/// short enough to be read out, and never given twice. A cluster's begins with `c-`.
/// Fails with io when the machine has no randomness to give.
[[nodiscard]] Result<std::string> make_node_id();
[[nodiscard]] Result<std::string> make_cluster_id();

[[nodiscard]] bool is_node_id(std::string_view text);

}  // namespace shoal

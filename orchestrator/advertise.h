#pragma once

#include <string>
#include <vector>

#include "storage/error.h"

namespace shoal {

/// How other nodes reach this one, as URLs: what it was told to say, or the addresses it listens
/// on, and for one that listens everywhere (`0.0.0.0`, `[::]`) those of the host's interfaces that
/// are up, loopback left out. Fails with usage when that is none.
[[nodiscard]] Result<std::vector<std::string>> advertised_urls(
    const std::vector<std::string>& advertise, const std::vector<std::string>& listen);

}  // namespace shoal

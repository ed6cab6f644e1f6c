#pragma once

#include <string>

#include "orchestrator/cccf/from_docker.h"

namespace shoal {

/// Asks a container engine for its containers and their images, as `docker inspect` shows them.
/// `address` is `unix:///var/run/docker.sock`; `all` takes those that do not run, too. Blocks.
/// Fails with usage for another address, and as Engine does.
[[nodiscard]] Result<DockerInspection> inspect_engine(const std::string& address, bool all);

}  // namespace shoal

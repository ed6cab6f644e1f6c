#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string_view>

#include "orchestrator/membership/member.h"

namespace shoal {

/// What this machine has; `store` is an existing folder on the disk that counts. What cannot be
/// found out is 0.
[[nodiscard]] Capacity probe_capacity(const std::filesystem::path& store);

/// The engine that answers `GET /version` of Docker's API (1.24 and later; Podman speaks it too) on
/// the unix socket, within `patience` in all. Nothing when there is none.
[[nodiscard]] std::optional<Engine> probe_engine(
    const std::filesystem::path& socket,
    std::chrono::milliseconds patience = std::chrono::seconds(2));

/// The first of /var/run/docker.sock and /run/podman/podman.sock that answers.
[[nodiscard]] std::optional<Engine> probe_engine();

/// The answer's body, as above; nothing when it is not what an engine says.
[[nodiscard]] std::optional<Engine> parse_engine_version(std::string_view json);

}  // namespace shoal

#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "storage/error.h"

namespace shoal {

/// The engines differ where the API's text says nothing: see docs/engine.md.
enum class EngineKind { docker, podman };

[[nodiscard]] const char* to_string(EngineKind kind);

/// Who answers on the socket.
struct EngineInfo {
  EngineKind kind = EngineKind::docker;
  std::string version;      // `20.10.24+dfsg1`.
  std::string api_version;  // That we speak with it, `1.41`.
  std::string storage_driver;
  std::string root;                              // The folder of its images.
  std::vector<std::string> insecure_registries;  // Networks and hosts that it talks to without TLS.
  std::vector<std::string> mirrors;              // Of Docker Hub.
};

/// The version of the API to speak, out of the newest and the oldest that an engine knows: ours,
/// 1.41, where it can be, else the nearest. `oldest` may be empty. Fails with unsupported (older
/// than 1.24 or not a version).
[[nodiscard]] Result<std::string> negotiate(std::string_view newest, std::string_view oldest);

}  // namespace shoal

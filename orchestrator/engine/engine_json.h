#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "orchestrator/engine/container.h"
#include "orchestrator/engine/engine_info.h"

namespace shoal {

// What an engine answers, as values. Both engines leave members out, write null for an empty list
// and add members of their own: what is missing is empty. Functions fail with io, since an engine
// that sends something else is as good as broken.

[[nodiscard]] Result<std::vector<Container>> parse_container_list(std::string_view json);
[[nodiscard]] Result<Container> parse_container(std::string_view json);
[[nodiscard]] Result<EngineImage> parse_image(std::string_view json);
/// A member that is a text of the answer, `Id` of a create, say.
[[nodiscard]] Result<std::string> parse_id(std::string_view json);
/// The exit code of an exec that ended; nothing while it runs.
[[nodiscard]] Result<std::optional<int>> parse_exec(std::string_view json);
/// The exit code that a wait gives.
[[nodiscard]] Result<int> parse_wait(std::string_view json);
/// One line of the events; nothing for what is not a container's.
[[nodiscard]] std::optional<EngineEvent> parse_event(std::string_view json);
/// `message` of an error's body (Docker's and podman's both have it), else the body itself, short.
[[nodiscard]] std::string error_message(std::string_view body);

/// Parts of EngineInfo.
struct EngineVersion {
  std::string engine_version;
  std::string api_min;
};
[[nodiscard]] Result<EngineVersion> parse_version(std::string_view json);
void parse_info(std::string_view json, EngineInfo& info);

/// The filter of a list: containers with all these labels.
[[nodiscard]] std::string label_filter(const std::vector<std::string>& labels);
/// What creates an exec.
[[nodiscard]] std::string exec_document(const std::vector<std::string>& command);

}  // namespace shoal

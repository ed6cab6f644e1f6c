#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "cli/commands.h"

namespace shoal {

/// How far a run is, as Progress::show() takes it.
struct RunProgress {
  std::uint64_t done = 0;
  std::uint64_t total = 0;
  std::string text;
};

/// Starts long work on a node (`POST target` of its own API, with `body`) and shows its progress
/// under `name` until it ends; `read` turns one of its reports, a JSON document, into what is
/// shown. Gives the result, a JSON document too. Fails as NodeClient does, or with io and
/// `ended_early` when the node stopped before there was a result.
[[nodiscard]] Result<std::string> follow_run(
    Terminal& terminal, const ClientOptions& client, const std::string& name,
    const std::string& target, const std::string& ended_early,
    const std::function<RunProgress(std::string_view report)>& read, std::string_view body = {});

}  // namespace shoal

#include "cli/followed_run.h"

#include <optional>

#include <nlohmann/json.hpp>

#include "cli/progress.h"

namespace shoal {

Result<std::string> follow_run(Terminal& terminal, const ClientOptions& client,
                               const std::string& name, const std::string& target,
                               const std::string& ended_early,
                               const std::function<RunProgress(std::string_view)>& read,
                               std::string_view body) {
  auto node = NodeClient::to(client.node);
  if (!node) return tl::unexpected(node.error());
  std::optional<std::string> result;
  Progress progress(terminal.err, terminal.err_is_terminal, name);
  const auto take = [&](std::string_view text) {
    const auto line = nlohmann::ordered_json::parse(text);
    if (line.contains("result")) {
      result = line["result"].dump();
    } else if (line.contains("progress")) {
      const auto shown = read(line["progress"].dump());
      progress.show(shown.done, shown.total, shown.text);
    }
    return true;
  };
  const auto done = node->stream("POST", target, take, body);
  if (!done) return tl::unexpected(done.error());
  if (!result) return fail(Errc::io, ended_early);
  return *std::move(result);
}

}  // namespace shoal

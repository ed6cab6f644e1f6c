#include <ostream>

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/followed_run.h"
#include "cli/human.h"

namespace shoal {
namespace {

using Json = nlohmann::ordered_json;

ExitCode run(Terminal& terminal, const ClientOptions& client, const std::string& to) {
  const auto read = [](std::string_view text) {
    const Json so_far = Json::parse(text);
    const auto keys = so_far.value("keys", std::uint64_t{0});
    return RunProgress{keys, so_far.value("total", std::uint64_t{0}), counted(keys, "key")};
  };
  const auto text =
      follow_run(terminal, client, "migrate", "cluster/state/move?to=" + percent_encode(to),
                 "the node ended the move early; run it again", read);
  if (!text) return report(terminal, text.error());
  if (client.json) {
    terminal.out << *text << '\n';
    return ExitCode::ok;
  }
  const Json moved = Json::parse(*text);
  terminal.out << fmt::format("{} ({}) copied and compared; the members go to {}\n",
                              counted(moved.at("keys").get<std::uint64_t>(), "key"),
                              human_bytes(moved.at("bytes").get<std::uint64_t>()), printable(to));
  return ExitCode::ok;
}

}  // namespace

void add_state_command(CLI::App& app, Program& program) {
  auto* state = app.add_subcommand("state", "Move the cluster's state to another place");
  state->require_subcommand(1);
  auto* command = state->add_subcommand("migrate", "Copy it, check the copy, and go there");
  const auto client = add_client_options(*command, program);
  auto to = std::make_shared<std::string>();
  command->add_option("--to", *to, "etcd://HOST:PORT,... or etcds://...")
      ->type_name("URL")
      ->required();
  command->footer(
      "Runs on the node that holds the embedded state (`shoal node ls` shows which). Every member\n"
      "must be able to reach the new place, and have its credentials, if it wants any, in its\n"
      "configuration (cluster.state-ca and the like). Pushes of tags wait while it runs; pulls go\n"
      "on. What was interrupted is run again.\n\n"
      "Example:\n"
      "  shoal state migrate --to etcd://10.0.0.11:2379,10.0.0.12:2379,10.0.0.13:2379");
  command->callback([=, &program] { program.exit = run(program.terminal, *client, *to); });
}

}  // namespace shoal

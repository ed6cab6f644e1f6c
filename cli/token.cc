#include <chrono>
#include <ostream>

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/human.h"
#include "cli/units.h"

namespace shoal {
namespace {

using Json = nlohmann::ordered_json;

struct Options {
  std::string ttl = "1h";
  unsigned uses = 1;
};

ExitCode run(Terminal& terminal, const ClientOptions& client, const Options& options) {
  const auto ttl = parse_duration(options.ttl);
  if (!ttl) return report(terminal, {Errc::usage, "--ttl: " + ttl.error().message});
  auto node = NodeClient::to(client.node);
  if (!node) return report(terminal, node.error());
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(*ttl).count();
  const auto body =
      node->send("POST", fmt::format("cluster/tokens?ttl={}&uses={}", seconds, options.uses));
  if (!body) return report(terminal, body.error());
  if (client.json) {
    terminal.out << *body << '\n';
    return ExitCode::ok;
  }
  const Json answer = Json::parse(*body);
  // The token is the last word, alone on its line: for scripts, and for a double click.
  terminal.out << fmt::format("Good for {} until {}. On the new node:\n\n",
                              counted(options.uses, "node"),
                              printable(answer.at("expires").get<std::string>()))
               << "  shoal node --cluster-listen ITS-ADDRESS:5001 --join THIS-ADDRESS:5001 --token "
                  "TOKEN\n\n"
               << printable(answer.at("token").get<std::string>()) << '\n';
  return ExitCode::ok;
}

}  // namespace

void add_token_command(CLI::App& app, Program& program) {
  auto* token = app.add_subcommand("token", "Let new nodes into the cluster");
  token->require_subcommand(1);
  auto* command = token->add_subcommand("create", "Make a token that a new node joins with");
  auto options = std::make_shared<Options>();
  const auto client = add_client_options(*command, program);
  command->add_option("--ttl", options->ttl, "How long it is good for")
      ->type_name("DURATION")
      ->capture_default_str();
  command->add_option("--uses", options->uses, "How many nodes may join with it")
      ->capture_default_str();
  command->footer(
      "Whoever has the token can join, until it expires or is used up: treat it as a password.\n\n"
      "Examples:\n"
      "  shoal token create\n"
      "  shoal token create --ttl 1d --uses 20\n"
      "  TOKEN=$(shoal token create | tail -1)");
  command->callback([=, &program] { program.exit = run(program.terminal, *client, *options); });
}

}  // namespace shoal

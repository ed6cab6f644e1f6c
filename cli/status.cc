#include <ostream>

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/human.h"
#include "cli/members.h"

namespace shoal {
namespace {

using Json = nlohmann::ordered_json;

std::string name_of(const Json& leader) {
  return leader.is_object() ? leader.value("name", leader.value("id", "?")) : "none";
}

void print(std::ostream& out, const Json& status) {
  if (status.value("alone", false)) {
    out << "This node stands alone: start it with --cluster-listen to make a cluster.\n";
    return;
  }
  const Json& state = status.at("state");
  const Json& replicas = status.at("replicas");
  out << fmt::format("Cluster    {}\n", printable(status.at("cluster").get<std::string>()));
  out << fmt::format("Leader     {}\n", printable(name_of(status.at("leader"))));
  out << fmt::format("State      {}{}\n", printable(state.at("driver").get<std::string>()),
                     state.at("available").get<bool>()
                         ? ""
                         : ", away: known names are served, pushes of tags wait");
  const auto missing = replicas.at("short").get<std::uint64_t>();
  out << fmt::format("Replicas   {} of each image{}\n", replicas.at("wanted").get<std::uint64_t>(),
                     missing == 0 ? "" : "; " + counted(missing, "image") + " short here");
  const Json& transfers = status.at("transfers");
  out << fmt::format("Transfers  {} now; {} fetched from other nodes since the start\n",
                     transfers.at("now").get<std::uint64_t>(),
                     human_bytes(transfers.at("bytes").get<std::uint64_t>()));
  out << '\n';
  print_members(out, status.at("members").dump());
}

ExitCode run(Terminal& terminal, const ClientOptions& client) {
  auto node = NodeClient::to(client.node);
  if (!node) return report(terminal, node.error());
  const auto body = node->send("GET", "cluster/status");
  if (!body) return report(terminal, body.error());
  if (client.json)
    terminal.out << *body << '\n';
  else
    print(terminal.out, Json::parse(*body));
  return ExitCode::ok;
}

}  // namespace

void add_status_command(CLI::App& app, Program& program) {
  auto* command = app.add_subcommand("status", "Show the cluster: members, leader, state, copies");
  const auto client = add_client_options(*command, program);
  command->footer(
      "Each node answers for itself: who it sees alive, and which of its images have too few "
      "copies.\n\n"
      "Examples:\n"
      "  shoal status\n"
      "  shoal status --json | jq '.replicas.short'");
  command->callback([=, &program] { program.exit = run(program.terminal, *client); });
}

}  // namespace shoal

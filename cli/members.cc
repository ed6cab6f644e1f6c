#include "cli/members.h"

#include <functional>
#include <ostream>
#include <vector>

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "cli/human.h"

namespace shoal {
namespace {

using Json = nlohmann::ordered_json;

std::string name_of(const Json& member) { return member.at("name").get<std::string>(); }

/// Without the name, which has a column of its own.
std::string labels_text(const Json& member) {
  std::string text;
  for (const auto& [key, value] : member.at("labels").items()) {
    if (key == "name") continue;
    text += (text.empty() ? "" : ",") + key + "=" + value.get<std::string>();
  }
  return text.empty() ? "-" : text;
}

std::string engine_text(const Json& member) {
  const Json& engine = member.at("engine");
  if (!engine.is_object()) return "-";
  return engine.value("kind", "?") + " " + engine.value("version", "");
}

std::string state_text(const Json& member) {
  std::string text = member.at("live").get<bool>() ? "live" : "away";
  if (member.at("drained").get<bool>()) text += ", draining";
  return text;
}

std::string roles_text(const Json& member) {
  std::string text;
  const auto add = [&](const char* role) {
    text += (text.empty() ? "" : ", ") + std::string(role);
  };
  if (member.value("self", false)) add("this node");
  if (member.value("holds_state", false)) add("state");
  if (member.value("authority", false)) add("authority");
  return text.empty() ? "-" : text;
}

std::string urls_text(const Json& member) {
  std::string text;
  for (const Json& url : member.at("urls")) {
    text += (text.empty() ? "" : ", ") + url.get<std::string>();
  }
  return text.empty() ? "-" : text;
}

Result<Json> fetch_members(NodeClient& node) {
  const auto body = node.send("GET", "cluster/nodes");
  if (!body) return tl::unexpected(body.error());
  return Json::parse(*body).at("nodes");
}

/// The member that goes by this id or, if it is the only one, by this name.
Result<Json> find_member(NodeClient& node, const std::string& text) {
  const auto members = fetch_members(node);
  if (!members) return tl::unexpected(members.error());
  std::vector<Json> named;
  std::string known;
  for (const Json& member : *members) {
    if (member.at("id") == text) return member;
    if (name_of(member) == text) named.push_back(member);
    known += (known.empty() ? "" : ", ") + name_of(member);
  }
  if (named.size() == 1) return named.front();
  if (named.empty()) {
    return fail(Errc::member_unknown,
                fmt::format("no node `{}` in the cluster; there are: {}", text, known));
  }
  return fail(Errc::usage, fmt::format("{} nodes are called `{}`: say which by its id, such as {}",
                                       named.size(), text, named.front().at("id").dump()));
}

void print_member(std::ostream& out, const Json& member) {
  const auto line = [&](const char* name, const std::string& value) {
    out << fmt::format("{:<10} {}\n", name, printable(value));
  };
  const Json& capacity = member.at("capacity");
  line("Name", name_of(member));
  line("Id", member.at("id"));
  line("State", state_text(member));
  line("Roles", roles_text(member));
  line("Address", urls_text(member));
  line("Labels", labels_text(member));
  line("Engine", engine_text(member));
  line("Version", member.at("version"));
  line("Joined", member.at("joined"));
  line("Disk", human_bytes(capacity.at("disk_bytes").get<std::uint64_t>()));
  line("Memory", human_bytes(capacity.at("memory_bytes").get<std::uint64_t>()));
  line("Cores", std::to_string(capacity.at("cores").get<unsigned>()));
}

/// What a command does with the one node that it names; gives what --json prints.
using Act = std::function<Result<Json>(NodeClient&, const Json& member)>;
using Say = std::function<void(std::ostream&, const Json& member, const Json& answer)>;

struct MemberCommand {
  const char* name;
  const char* help;
  const char* footer;
};

/// A subcommand with NODE as its first argument.
CLI::App* add_member_command(CLI::App& parent, Program& program, const MemberCommand& command,
                             Act act, Say say) {
  auto* added = parent.add_subcommand(command.name, command.help);
  const auto client = add_client_options(*added, program);
  auto name = std::make_shared<std::string>();
  added->add_option("NODE", *name, "Name or id")->required();
  added->footer(command.footer);
  const auto run = [=, &program]() -> ExitCode {
    Terminal& terminal = program.terminal;
    auto node = NodeClient::to(client->node);
    if (!node) return report(terminal, node.error());
    const auto member = find_member(*node, *name);
    if (!member) return report(terminal, member.error());
    const auto answer = act(*node, *member);
    if (!answer) return report(terminal, answer.error());
    if (client->json)
      terminal.out << answer->dump() << '\n';
    else
      say(terminal.out, *member, *answer);
    return ExitCode::ok;
  };
  added->callback([=, &program] { program.exit = run(); });
  return added;
}

Result<Json> send(NodeClient& node, std::string_view method, const Json& member,
                  const std::string& rest = "", const std::string& body = "") {
  const auto target = "cluster/nodes/" + member.at("id").get<std::string>() + rest;
  const auto answer = node.send(method, target, body);
  if (!answer) return tl::unexpected(answer.error());
  return Json::parse(*answer);
}

void add_list(CLI::App& parent, Program& program) {
  auto* command = parent.add_subcommand("ls", "List the cluster's nodes");
  const auto client = add_client_options(*command, program);
  command->footer("Example:\n  shoal node ls");
  const auto run = [=, &program]() -> ExitCode {
    Terminal& terminal = program.terminal;
    auto node = NodeClient::to(client->node);
    if (!node) return report(terminal, node.error());
    const auto members = fetch_members(*node);
    if (!members) return report(terminal, members.error());
    if (client->json)
      terminal.out << Json{{"nodes", *members}}.dump() << '\n';
    else
      print_members(terminal.out, members->dump());
    return ExitCode::ok;
  };
  command->callback([=, &program] { program.exit = run(); });
}

/// `dc=west` sets, `dc-` takes away.
Result<Json> label_changes(const std::vector<std::string>& texts) {
  Json changes = Json::object();
  for (const auto& text : texts) {
    const auto equals = text.find('=');
    if (equals != std::string::npos && equals > 0) {
      changes[text.substr(0, equals)] = text.substr(equals + 1);
    } else if (equals == std::string::npos && text.size() > 1 && text.ends_with('-')) {
      changes[text.substr(0, text.size() - 1)] = nullptr;
    } else {
      return fail(Errc::usage, fmt::format("\"{}\" is neither NAME=VALUE nor NAME- (which takes "
                                           "the label away)",
                                           text));
    }
  }
  return changes;
}

void add_label(CLI::App& parent, Program& program) {
  auto texts = std::make_shared<std::vector<std::string>>();
  auto* command = add_member_command(
      parent, program,
      {"label", "Set or take away a node's labels",
       "Labels that a node is started with (--label) are set anew at its start.\n\n"
       "Examples:\n"
       "  shoal node label host-b dc=west rack=r7\n"
       "  shoal node label host-b rack-"},
      [texts](NodeClient& node, const Json& member) -> Result<Json> {
        const auto changes = label_changes(*texts);
        if (!changes) return tl::unexpected(changes.error());
        return send(node, "POST", member, "/labels", changes->dump());
      },
      [](std::ostream& out, const Json&, const Json& answer) {
        out << printable(name_of(answer)) << ": " << printable(labels_text(answer)) << '\n';
      });
  command->add_option("LABEL", *texts, "NAME=VALUE, or NAME- to take it away")->required();
}

void add_drain(CLI::App& parent, Program& program) {
  auto off = std::make_shared<bool>(false);
  auto* command = add_member_command(
      parent, program,
      {"drain", "Have a node's copies made elsewhere, and give it no new ones",
       "The node goes on serving. When `shoal status` on the other nodes shows nothing short, it\n"
       "can be stopped without a loss.\n\n"
       "Examples:\n"
       "  shoal node drain host-b\n"
       "  shoal node drain host-b --off"},
      [off](NodeClient& node, const Json& member) {
        return send(node, "POST", member, *off ? "/drain?on=false" : "/drain?on=true");
      },
      [off](std::ostream& out, const Json& member, const Json&) {
        out << printable(name_of(member)) << (*off ? " takes part again\n" : " drains\n");
      });
  command->add_flag("--off", *off, "Take part again");
}

}  // namespace

void print_members(std::ostream& out, std::string_view members) {
  Table table({"NODE", "ID", "STATE", "ADDRESS", "ENGINE", "LABELS", "ROLES"});
  for (const Json& member : Json::parse(members)) {
    table.add({name_of(member), member.at("id"), state_text(member), urls_text(member),
               engine_text(member), labels_text(member), roles_text(member)});
  }
  table.print(out);
}

void add_member_commands(CLI::App& node_command, Program& program) {
  node_command.require_subcommand(0, 1);
  add_list(node_command, program);
  add_member_command(
      node_command, program, {"show", "Show one node", "Example:\n  shoal node show host-b"},
      [](NodeClient&, const Json& member) -> Result<Json> { return member; },
      [](std::ostream& out, const Json& member, const Json&) { print_member(out, member); });
  add_label(node_command, program);
  add_drain(node_command, program);
  add_member_command(
      node_command, program,
      {"rm", "Remove a node from the cluster for good",
       "Its certificate is refused by all nodes within seconds. To come back it needs an empty\n"
       "data folder and a new token. What it alone held is gone: drain it first.\n\n"
       "Example:\n"
       "  shoal node rm host-b"},
      [](NodeClient& node, const Json& member) { return send(node, "DELETE", member); },
      [](std::ostream& out, const Json& member, const Json&) {
        out << "removed " << printable(name_of(member)) << '\n';
      });
}

}  // namespace shoal

#include "cli/command_line.h"

#include <algorithm>
#include <exception>
#include <ostream>

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "cli/commands.h"
#include "cli/human.h"
#include "cli/nearest.h"

namespace shoal {
namespace {

constexpr const char* kDescription =
    "shoal: a registry for container images on this host.\n\n"
    "`shoal node` serves the Docker Registry v2 and OCI distribution API on 127.0.0.1:5000;\n"
    "the other commands talk to a running node.";

constexpr const char* kFooter =
    "Examples:\n"
    "  shoal node                                serve, with the data in its default folder\n"
    "  docker push 127.0.0.1:5000/app:1          push an image to it\n"
    "  shoal images                              what is there\n"
    "  shoal inspect app:1                       what it is made of\n"
    "  shoal COMMAND --help                      all about one command\n\n"
    "Exit codes:\n"
    "  0  done                    3  no such image or node\n"
    "  1  failed                  4  no node answers at --node\n"
    "  2  wrong usage             5  stored content is damaged";

/// The subcommand that the arguments chose (`validate` of `cccf`), or the program itself.
const CLI::App& chosen(const CLI::App& app) {
  const auto commands = app.get_subcommands();
  return commands.empty() ? app : chosen(*commands.back());
}

/// ` cccf validate`: what the arguments chose, as one types it.
std::string chosen_words(const CLI::App& app) {
  const auto commands = app.get_subcommands();
  if (commands.empty()) return {};
  return ' ' + commands.back()->get_name() + chosen_words(*commands.back());
}

/// What a word that nothing knows was probably meant to be: a flag, or a command.
std::string suggestion(const CLI::App& app, const std::string& word) {
  std::vector<std::string> known;
  if (word.starts_with('-')) {
    for (const auto* option : chosen(app).get_options()) {
      for (const std::string& name : option->get_lnames()) known.push_back("--" + name);
    }
  } else {
    for (const auto* command : chosen(app).get_subcommands({})) {
      known.push_back(command->get_name());
      for (const std::string& alias : command->get_aliases()) known.push_back(alias);
    }
  }
  return nearest(word.substr(0, word.find('=')), known);
}

ExitCode report_usage(const CLI::App& app, const CLI::ParseError& error, Terminal& terminal) {
  std::string message = error.what();
  // A mistyped command or flag is also why something required is missing: name the cause.
  const auto rest = app.remaining(true);
  const bool mistyped = dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr ||
                        dynamic_cast<const CLI::RequiredError*>(&error) != nullptr;
  if (mistyped && !rest.empty()) {
    const auto is_flag = [](const std::string& word) { return word.starts_with("--"); };
    const auto flag = std::find_if(rest.begin(), rest.end(), is_flag);
    const std::string& word = flag == rest.end() ? rest.front() : *flag;
    message = fmt::format("`{}` is not known here", word);
    const std::string near = suggestion(app, word);
    if (!near.empty()) message += fmt::format("; the nearest that is: `{}`", near);
  }
  const std::string name = chosen_words(app);
  terminal.err << "shoal" << name << ": " << printable(message) << "\nTry `shoal" << name
               << " --help`.\n";
  return ExitCode::usage;
}

}  // namespace

std::shared_ptr<ClientOptions> add_client_options(CLI::App& command, const Program& program) {
  auto options = std::make_shared<ClientOptions>();
  const auto& environment = program.terminal.environment;
  const auto variable = environment.find("SHOAL_NODE");
  options->node = variable == environment.end() ? "http://127.0.0.1:5000" : variable->second;
  command.add_option("--node", options->node, "Address of the node; also SHOAL_NODE")
      ->type_name("URL")
      ->capture_default_str();
  command.add_flag("--json", options->json, "Exact values as JSON, for programs");
  return options;
}

ExitCode report(Terminal& terminal, const Error& error) {
  terminal.err << "shoal: " << printable(error.message) << '\n';
  return exit_code_of(error);
}

ExitCode run_command_line(std::vector<std::string> arguments, Terminal& terminal) {
  Program program{terminal};
  CLI::App app(kDescription, "shoal");
  app.footer(kFooter);
  app.require_subcommand(1);
  app.set_version_flag("--version", std::string("shoal " SHOAL_VERSION));
  add_node_command(app, program);
  add_images_command(app, program);
  add_inspect_command(app, program);
  add_rm_command(app, program);
  add_gc_command(app, program);
  add_scrub_command(app, program);
  add_du_command(app, program);
  add_events_command(app, program);
  add_status_command(app, program);
  add_transfers_command(app, program);
  add_torrent_command(app, program);
  add_token_command(app, program);
  add_state_command(app, program);
  add_cccf_command(app, program);
  add_config_command(app, program);
  add_completion_command(app, program);
  add_version_command(app, program);

  // CLI11 takes them from the back.
  std::reverse(arguments.begin(), arguments.end());
  try {
    app.parse(std::move(arguments));
    return program.exit;
  } catch (const CLI::Success& success) {  // --help and --version.
    static_cast<void>(app.exit(success, terminal.out, terminal.err));
    return ExitCode::ok;
  } catch (const CLI::ParseError& error) {
    return report_usage(app, error, terminal);
  } catch (const std::exception& error) {
    terminal.err << "shoal: the node's answer is not understood: " << printable(error.what())
                 << '\n';
    return ExitCode::failed;
  }
}

}  // namespace shoal

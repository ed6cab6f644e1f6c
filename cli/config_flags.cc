#include "cli/config_flags.h"

#include <algorithm>
#include <cctype>

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>

#include "cli/commands.h"

namespace shoal {
namespace {

/// The section of an option in the help: `store.quota` stands under "store".
std::string group_of(const Option& option) {
  const auto dot = option.key.find('.');
  return dot == std::string::npos ? "Node" : "Options of " + option.key.substr(0, dot);
}

/// What stands for the value in the help: `DURATION`, or the choices, `auto|text|json`.
std::string placeholder_of(const Option& option) {
  constexpr std::string_view kList = "list of ";
  if (option.type.starts_with(kList)) return option.type.substr(kList.size());
  std::string text = option.type;
  text.erase(std::remove(text.begin(), text.end(), '`'), text.end());
  if (!option.type.starts_with('`')) {
    for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    return text;
  }
  for (auto comma = text.find(", "); comma != std::string::npos; comma = text.find(", ")) {
    text.replace(comma, 2, "|");
  }
  return text;
}

}  // namespace

std::shared_ptr<ConfigSources> add_config_flags(CLI::App& command, const Program& program) {
  auto sources = std::make_shared<ConfigSources>();
  sources->environment = program.terminal.environment;
  sources->is_root = geteuid() == 0;

  const auto set_file = [sources](const std::string& path) { sources->file = path; };
  command
      .add_option_function<std::string>(
          "--config", set_file,
          "Configuration file [/etc/shoal/shoal.yaml or ~/.config/shoal/shoal.yaml, if present]")
      ->type_name("FILE")
      ->group("Node");

  for (const Option& option : node_options()) {
    const auto set = [sources, key = option.key](const std::vector<std::string>& values) {
      sources->flags.emplace_back(key, fmt::format("{}", fmt::join(values, ",")));
    };
    const std::string help = fmt::format("{} [{}]", option.help, option.default_text);
    auto* flag = command.add_option_function<std::vector<std::string>>(option.flag(), set, help);
    flag->type_name(placeholder_of(option))->group(group_of(option))->allow_extra_args(false);
    if (!option.repeats) flag->expected(1)->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  }
  return sources;
}

}  // namespace shoal

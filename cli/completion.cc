#include <algorithm>
#include <ostream>
#include <vector>

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "cli/commands.h"

namespace shoal {
namespace {

/// A flag as completion needs it.
struct Flag {
  std::vector<std::string> names;  // `--json`, `-h`
  std::string help;
  std::string value;                 // `FILE`; empty for a flag that takes none.
  std::vector<std::string> choices;  // When the value is one of these.
};

struct Command {
  std::string name;
  std::vector<std::string> aliases;
  std::string help;
  std::vector<Flag> flags;
  std::vector<Command> commands;  // Its own: `ls` of `node`.
};

/// `a|b|c` as a list; empty unless there are several.
std::vector<std::string> split_choices(const std::string& text) {
  std::vector<std::string> choices;
  for (std::size_t begin = 0; begin < text.size();) {
    const auto end = std::min(text.find('|', begin), text.size());
    choices.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  if (choices.size() < 2) choices.clear();
  return choices;
}

Flag read_flag(const CLI::Option& option) {
  Flag flag;
  for (const std::string& name : option.get_lnames()) flag.names.push_back("--" + name);
  for (const std::string& name : option.get_snames()) flag.names.push_back("-" + name);
  // A description may go on with the default: the sentence is enough here.
  flag.help = option.get_description().substr(0, option.get_description().find(" ["));
  if (option.get_expected_max() > 0) {
    flag.value = option.get_type_name();
    flag.choices = split_choices(flag.value);
  }
  return flag;
}

std::vector<Command> read_commands(const CLI::App& app) {
  std::vector<Command> commands;
  for (const CLI::App* sub : app.get_subcommands({})) {
    Command command{
        sub->get_name(), sub->get_aliases(), sub->get_description(), {}, read_commands(*sub)};
    for (const CLI::Option* option : sub->get_options()) {
      if (!option->get_positional()) command.flags.push_back(read_flag(*option));
    }
    commands.push_back(std::move(command));
  }
  return commands;
}

/// The words of a command's `case` pattern: `images|ls`.
std::string pattern(const Command& command) {
  std::string text = command.name;
  for (const std::string& alias : command.aliases) text += '|' + alias;
  return text;
}

/// How bash completes a flag's value; empty where there is nothing to offer.
std::string bash_values(const Flag& flag) {
  if (!flag.choices.empty()) return fmt::format("-W '{}'", fmt::join(flag.choices, " "));
  if (flag.value == "FILE") return "-f";
  if (flag.value == "PATH") return "-d";
  return {};
}

std::string names_of(const std::vector<Command>& commands) {
  std::string names;
  for (const Command& command : commands) names += command.name + ' ';
  return names;
}

/// The branches of a `case` on the word at `place`, for commands and for commands of commands.
void write_bash_cases(std::ostream& out, const std::vector<Command>& commands, int place) {
  const std::string indent(static_cast<std::size_t>(2 * place), ' ');
  out << indent << "case ${COMP_WORDS[" << place << "]} in\n";
  for (const Command& command : commands) {
    out << indent << "  " << pattern(command) << ")\n";
    if (!command.commands.empty()) {
      out << indent << "    if [ \"$COMP_CWORD\" -gt " << place + 1 << " ]; then\n";
      write_bash_cases(out, command.commands, place + 1);
      out << indent << "    fi\n";
    }
    out << indent << "    case $previous in\n";
    std::string all = names_of(command.commands);
    for (const Flag& flag : command.flags) {
      all += fmt::format("{}{}", all.empty() || all.back() == ' ' ? "" : " ",
                         fmt::join(flag.names, " "));
      if (flag.value.empty()) continue;
      const std::string values = bash_values(flag);
      out << indent << fmt::format("      {}) ", fmt::join(flag.names, "|"));
      if (!values.empty()) out << "COMPREPLY=($(compgen " << values << " -- \"$word\")); ";
      out << "return ;;\n";
    }
    if (command.name == "completion") all += " bash zsh";
    out << indent << "    esac\n"
        << indent << "    COMPREPLY=($(compgen -W '" << all << "' -- \"$word\")); return ;;\n";
  }
  out << indent << "esac\n";
}

void write_bash(std::ostream& out, const std::vector<Command>& commands) {
  out << "# bash completion for shoal: source <(shoal completion bash)\n"
         "_shoal() {\n"
         "  local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}\n"
         "  COMPREPLY=()\n"
         "  if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
      << "    COMPREPLY=($(compgen -W '" << names_of(commands)
      << "--help --version' -- \"$word\"))\n"
      << "    return\n"
         "  fi\n";
  write_bash_cases(out, commands, 1);
  out << "}\n"
         "complete -F _shoal shoal\n";
}

/// Text inside single quotes and an _arguments specification.
std::string zsh_text(const std::string& text) {
  std::string result;
  for (const char c : text) {
    if (c == '\'')
      result += "'\\''";
    else if (c == '[' || c == ']' || c == ':' || c == '\\')
      result += std::string("\\") + c;
    else
      result += c;
  }
  return result;
}

std::string zsh_values(const Flag& flag) {
  if (flag.value.empty()) return {};
  std::string action;
  if (!flag.choices.empty()) action = fmt::format("({})", fmt::join(flag.choices, " "));
  if (flag.value == "FILE") action = "_files";
  if (flag.value == "PATH") action = "_files -/";
  return fmt::format(":{}:{}", zsh_text(flag.value), action);
}

/// What `_describe` offers.
void write_zsh_names(std::ostream& out, const std::vector<Command>& commands,
                     const std::string& indent) {
  out << indent << "local -a commands=(\n";
  for (const Command& command : commands) {
    out << indent << fmt::format("  '{}:{}'\n", command.name, zsh_text(command.help));
  }
  out << indent << ")\n";
}

/// The branches of a `case` on the word at `place` (zsh counts from 1, `shoal` is the first).
void write_zsh_cases(std::ostream& out, const std::vector<Command>& commands, int place) {
  const std::string indent(static_cast<std::size_t>(2 * (place - 1)), ' ');
  out << indent << "case $words[" << place << "] in\n";
  for (const Command& command : commands) {
    out << indent << "  " << pattern(command) << ")\n";
    if (!command.commands.empty()) {
      out << indent << "    if (( CURRENT > " << place + 1 << " )); then\n";
      write_zsh_cases(out, command.commands, place + 1);
      out << indent << "    else\n";
      write_zsh_names(out, command.commands, indent + "      ");
      out << indent << "      _describe command commands\n" << indent << "    fi\n";
    }
    out << indent << "    _arguments";
    for (const Flag& flag : command.flags) {
      for (const std::string& name : flag.names) {
        out << fmt::format(" \\\n{}      '{}[{}]{}'", indent, name, zsh_text(flag.help),
                           zsh_values(flag));
      }
    }
    if (command.name == "completion") out << " \\\n" << indent << "      '2:shell:(bash zsh)'";
    out << "; return ;;\n";
  }
  out << indent << "esac\n";
}

void write_zsh(std::ostream& out, const std::vector<Command>& commands) {
  out << "#compdef shoal\n"
         "# zsh completion for shoal: source <(shoal completion zsh), or as _shoal on $fpath\n"
         "_shoal() {\n";
  write_zsh_names(out, commands, "  ");
  out << "  if (( CURRENT == 2 )); then\n"
         "    _describe command commands\n"
         "    return\n"
         "  fi\n";
  write_zsh_cases(out, commands, 2);
  out << "}\n"
         "if [ \"$funcstack[1]\" = _shoal ]; then _shoal \"$@\"; else compdef _shoal shoal; fi\n";
}

}  // namespace

void add_completion_command(CLI::App& app, Program& program) {
  auto* command = app.add_subcommand("completion", "Print a completion script for a shell");
  auto shell = std::make_shared<std::string>();
  command->add_option("SHELL", *shell, "bash or zsh")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh"}));
  command->footer(
      "Examples:\n"
      "  source <(shoal completion bash)\n"
      "  shoal completion bash > /etc/bash_completion.d/shoal\n"
      "  shoal completion zsh > /usr/local/share/zsh/site-functions/_shoal");
  command->callback([shell, &app, &program] {
    const auto commands = read_commands(app);
    if (*shell == "bash")
      write_bash(program.terminal.out, commands);
    else
      write_zsh(program.terminal.out, commands);
  });
}

}  // namespace shoal

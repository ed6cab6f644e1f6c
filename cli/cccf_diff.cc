#include <ostream>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "cli/cccf.h"
#include "cli/human.h"
#include "orchestrator/cccf/diff.h"

namespace shoal {
namespace {

struct Options {
  std::string current;
  CccfDiffOptions diff;
  bool explain = false;
};

std::string shown(const JsonValue& value) { return value.is_null() ? "nothing" : to_text(value); }

void explain(Terminal& terminal, const CccfDifference& difference) {
  const auto list = [&](const std::vector<CccfItem>& items, std::string_view word) {
    for (const CccfItem& item : items) {
      terminal.out << fmt::format("{:<7} {}\n", word, printable(item.id()));
    }
  };
  list(difference.keep, "keep");
  list(difference.remove, "remove");
  list(difference.add, "add");
  for (const CccfChange& change : difference.changes) {
    terminal.out << fmt::format("\n{} changes:\n", printable(change.id));
    for (const CccfFieldChange& field : change.fields) {
      terminal.out << printable(fmt::format("  {}: {} -> {}", field.field, shown(field.current),
                                            shown(field.wanted)))
                   << '\n';
    }
  }
}

void run(Program& program, const CccfInput& input, const Options& options) {
  const auto wanted = read_valid_input(program, input);
  if (!wanted) return;
  const auto current = read_valid_input(program, {{options.current}, input.variables});
  if (!current) return;
  CccfDiagnostics problems;
  const auto difference = diff_cccf(*current, *wanted, options.diff, problems);
  if (say_diagnostics(program, problems)) return;
  if (options.explain)
    explain(program.terminal, difference);
  else
    write_json(program.terminal, difference.to_json());
}

}  // namespace

void add_cccf_diff(CLI::App& cccf, Program& program) {
  auto* command = cccf.add_subcommand("diff", "Say what to add, keep and remove");
  const auto input = add_cccf_input(*command);
  auto options = std::make_shared<Options>();
  command->add_option("--current", options->current, "The document of what is there now")
      ->type_name("FILE")
      ->required();
  const auto several = [&](const char* name, std::vector<std::string>& into, const char* help) {
    return command->add_option(name, into, help)->allow_extra_args(false);
  };
  several("--ignore", options->diff.ignore, "Leave this container out, with its instances")
      ->type_name("ID");
  several("--omit", options->diff.omit, "A field that does not count")->type_name("FIELD");
  command->add_flag("--explain", options->explain, "Text for people, not JSON");
  command->footer(
      "What is wanted comes from FILE or standard input. A container that changed is removed and\n"
      "added; `changes` has what changed in it, field by field. `scale` and `host` are no "
      "change.\n\n"
      "Examples:\n"
      "  shoal cccf diff --current now.json app.json\n"
      "  docker inspect $(docker ps -aq) | shoal cccf from-docker |\n"
      "    shoal cccf diff --current - app.json --explain");
  command->callback([=, &program] { run(program, *input, *options); });
}

}  // namespace shoal

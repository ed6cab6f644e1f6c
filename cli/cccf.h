#pragma once

#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "cli/commands.h"
#include "orchestrator/cccf/diff.h"
#include "orchestrator/cccf/document.h"
#include "orchestrator/cccf/validate.h"
#include "orchestrator/cccf/variables.h"

namespace shoal {

/// Each adds one subcommand of `shoal cccf`, which runs when it is parsed: cli/cccf_scale.cc ...
/// They are filters: a document from files or standard input, JSON on `out`, all else on `err`.
/// A new one is declared here and listed in cli/cccf.cc.
void add_cccf_validate(CLI::App& cccf, Program& program);
void add_cccf_scale(CLI::App& cccf, Program& program);
void add_cccf_unscale(CLI::App& cccf, Program& program);
void add_cccf_diff(CLI::App& cccf, Program& program);
void add_cccf_place(CLI::App& cccf, Program& program);
void add_cccf_instructions(CLI::App& cccf, Program& program);
void add_cccf_from_docker(CLI::App& cccf, Program& program);
void add_cccf_random(CLI::App& cccf, Program& program);

/// What the filters take.
struct CccfInput {
  std::vector<std::string> files;      // `-` is standard input; none is standard input, too.
  std::vector<std::string> variables;  // `NAME=VALUE`, or `NAME` out of the environment.
};
/// Adds FILE... and --var to a filter.
[[nodiscard]] std::shared_ptr<CccfInput> add_cccf_input(CLI::App& command);

/// A file's text; `-` is standard input. Fails with usage, or with too_large.
[[nodiscard]] Result<std::string> read_text(Terminal& terminal, const std::string& file);

/// The text of `--var` arguments. Fails with usage.
[[nodiscard]] Result<CccfVariables> read_variables(const Terminal& terminal,
                                                   const std::vector<std::string>& variables);

/// The documents of all files as one, with variables put in, not judged yet. Nothing if they cannot
/// be read: then it was said on `err`, and `program.exit` is set.
[[nodiscard]] std::optional<CccfDocument> read_input(Program& program, const CccfInput& input);

/// read_input(), and nothing for a document that has errors, either (warnings are validate's).
[[nodiscard]] std::optional<CccfDocument> read_valid_input(Program& program,
                                                           const CccfInput& input);

/// What `shoal cccf diff` wrote, or else a document without errors, as read_valid_input() reads it.
[[nodiscard]] std::optional<std::variant<CccfDocument, CccfDifference>> read_document_or_difference(
    Program& program, const CccfInput& input);

/// Says all on `err`, one a line. Gives whether there was an error among them, and sets
/// `program.exit` then.
bool say_diagnostics(Program& program, const CccfDiagnostics& diagnostics);

/// As JSON for people and programs, with a newline.
void write_json(Terminal& terminal, const JsonValue& value);

}  // namespace shoal

#include <algorithm>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "cli/cccf.h"

namespace shoal {
namespace {

struct Options {
  bool strict = false;
  bool json = false;
  std::vector<std::string> deny;
};

JsonValue to_json(const CccfDiagnostic& one) {
  const bool error = one.severity == CccfDiagnostic::Severity::error;
  JsonValue object = JsonValue::Object();
  object.set("severity", error ? "error" : "warning");
  object.set("check", one.check);
  object.set("file", one.file.empty() ? JsonValue() : JsonValue(one.file));
  object.set("pointer", one.pointer);
  object.set("message", one.message);
  return object;
}

void run(Program& program, const CccfInput& input, const Options& options) {
  const auto document = read_input(program, input);
  if (!document) return;
  auto diagnostics =
      validate_cccf(*document, options.strict ? CccfRules::strict : CccfRules::lenient);
  for (CccfDiagnostic& one : diagnostics) {
    const auto denied = [&](const std::string& name) { return name == "all" || name == one.check; };
    if (std::any_of(options.deny.begin(), options.deny.end(), denied)) {
      one.severity = CccfDiagnostic::Severity::error;
    }
  }
  if (!options.json) {
    if (!say_diagnostics(program, diagnostics)) write_json(program.terminal, document->to_json());
    return;
  }
  JsonValue::Array list;
  for (const CccfDiagnostic& one : diagnostics) list.push_back(to_json(one));
  JsonValue answer = JsonValue::Object();
  answer.set("valid", !has_errors(diagnostics));
  answer.set("diagnostics", std::move(list));
  write_json(program.terminal, answer);
  if (has_errors(diagnostics)) program.exit = ExitCode::failed;
}

}  // namespace

void add_cccf_validate(CLI::App& cccf, Program& program) {
  auto* command = cccf.add_subcommand("validate", "Say all that is wrong with a document");
  const auto input = add_cccf_input(*command);
  auto options = std::make_shared<Options>();
  command->add_flag("--strict", options->strict, "Refuse exactly what cccf 3.3.0 refuses");
  std::vector<std::string> names = {"all"};
  for (const CccfCheck& check : cccf_checks()) names.emplace_back(check.name);
  command->add_option("--deny", options->deny, "Warnings of this check are errors; or `all`")
      ->type_name(fmt::format("{}", fmt::join(names, "|")))
      ->check(CLI::IsMember(names).description(""))
      ->allow_extra_args(false);
  command->add_flag("--json", options->json, "What there is to say as JSON, not the document");
  command->footer(
      "A document without errors goes to stdout; what there is to say goes to stderr, each with a\n"
      "JSON pointer. Ends with 1 if there are errors.\n\n"
      "Examples:\n"
      "  shoal cccf validate app.json\n"
      "  shoal cccf validate --var TAG=1.4 app.yaml | shoal cccf scale\n"
      "  shoal cccf validate --deny port-clash --deny duplicate-id *.json > all.json");
  command->callback([=, &program] { run(program, *input, *options); });
}

}  // namespace shoal

#include "cli/cccf.h"

#include <fstream>
#include <istream>
#include <ostream>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "cli/human.h"
#include "orchestrator/cccf/read.h"

namespace shoal {
namespace {

/// What a stream holds, up to a byte more than a document may have.
std::string read_all(std::istream& in) {
  std::string text;
  std::vector<char> buffer(64 << 10);
  while (in && text.size() <= kCccfBytesMax) {
    in.read(buffer.data(), static_cast<std::streamsize>(buffer.size()));
    text.append(buffer.data(), static_cast<std::size_t>(in.gcount()));
  }
  return text;
}

}  // namespace

std::shared_ptr<CccfInput> add_cccf_input(CLI::App& command) {
  auto input = std::make_shared<CccfInput>();
  command.add_option("FILE", input->files,
                     "Documents, JSON or YAML; standard input if none is named");
  command
      .add_option("--var", input->variables,
                  "The value of ${NAME} in the document; NAME alone takes it from the environment")
      ->type_name("NAME=VALUE")
      ->allow_extra_args(false);
  return input;
}

Result<std::string> read_text(Terminal& terminal, const std::string& file) {
  if (file == "-") {
    if (terminal.in == nullptr) return fail(Errc::usage, "there is no standard input to read");
    return read_all(*terminal.in);
  }
  std::ifstream stream(file, std::ios::binary);
  std::string text = read_all(stream);
  if (!stream.is_open() || stream.bad()) return fail(Errc::usage, "cannot read " + file);
  return text;
}

Result<CccfVariables> read_variables(const Terminal& terminal,
                                     const std::vector<std::string>& variables) {
  CccfVariables values;
  for (const std::string& text : variables) {
    const auto equals = text.find('=');
    const std::string name = text.substr(0, equals);
    const std::string probe = "${" + name + "}";
    if (escape_variables(probe) == probe) {
      return fail(
          Errc::usage,
          fmt::format("--var: \"{}\" is no name of a variable: letters, digits and _", name));
    }
    if (equals != text.npos) {
      values.insert_or_assign(name, text.substr(equals + 1));
      continue;
    }
    const auto found = terminal.environment.find(name);
    if (found == terminal.environment.end()) {
      return fail(Errc::usage, fmt::format("--var: {} is not in the environment", name));
    }
    values.insert_or_assign(name, found->second);
  }
  return values;
}

std::optional<CccfDocument> read_input(Program& program, const CccfInput& input) {
  const auto refuse = [&](const Error& error) {
    program.exit = report(program.terminal, error);
    return std::nullopt;
  };
  const auto variables = read_variables(program.terminal, input.variables);
  if (!variables) return refuse(variables.error());
  const std::vector<std::string> standard_input = {"-"};
  std::vector<CccfDocument> documents;
  for (const std::string& file : input.files.empty() ? standard_input : input.files) {
    const auto text = read_text(program.terminal, file);
    if (!text) return refuse(text.error());
    auto document = read_cccf(*text, file == "-" ? "" : file, syntax_of(file));
    if (!document) return refuse(document.error());
    documents.push_back(*std::move(document));
  }
  return substitute(join(std::move(documents)), *variables);
}

std::optional<CccfDocument> read_valid_input(Program& program, const CccfInput& input) {
  auto document = read_input(program, input);
  if (!document) return document;
  CccfDiagnostics diagnostics = validate_cccf(*document);
  std::erase_if(diagnostics, [](const CccfDiagnostic& one) {
    return one.severity != CccfDiagnostic::Severity::error;
  });
  if (say_diagnostics(program, diagnostics)) return std::nullopt;
  return document;
}

bool say_diagnostics(Program& program, const CccfDiagnostics& diagnostics) {
  for (const CccfDiagnostic& one : diagnostics) {
    program.terminal.err << printable(to_text(one)) << '\n';
  }
  const bool failed = has_errors(diagnostics);
  if (failed) program.exit = ExitCode::failed;
  return failed;
}

void write_json(Terminal& terminal, const JsonValue& value) {
  terminal.out << to_pretty_text(value) << '\n';
}

void add_cccf_command(CLI::App& app, Program& program) {
  auto* cccf = app.add_subcommand("cccf", "Check, compare and convert documents of containers");
  cccf->require_subcommand(1);
  cccf->footer(
      "A document is JSON in the Common Container Configuration Format, or YAML: an object with\n"
      "`id` and `image`, or a list of them. Each of these is a filter; they make a pipe:\n\n"
      "  shoal cccf scale < app.json | shoal cccf diff --current now.json |\n"
      "    shoal cccf instructions --print\n\n"
      "They need no node. docs/cccf.md has all of it.");
  add_cccf_validate(*cccf, program);
  add_cccf_scale(*cccf, program);
  add_cccf_unscale(*cccf, program);
  add_cccf_diff(*cccf, program);
}

}  // namespace shoal

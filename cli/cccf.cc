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

/// What one file holds; the name is empty for standard input.
struct NamedText {
  std::string file;
  std::string text;
};

Result<std::vector<NamedText>> read_texts(Terminal& terminal,
                                          const std::vector<std::string>& files) {
  std::vector<NamedText> texts;
  static const std::vector<std::string> kStandardInput = {"-"};
  for (const std::string& file : files.empty() ? kStandardInput : files) {
    auto text = read_text(terminal, file);
    if (!text) return tl::unexpected(text.error());
    texts.push_back({file == "-" ? "" : file, *std::move(text)});
  }
  return texts;
}

Result<CccfDocument> read_documents(const Terminal& terminal, const std::vector<NamedText>& texts,
                                    const std::vector<std::string>& variables) {
  const auto values = read_variables(terminal, variables);
  if (!values) return tl::unexpected(values.error());
  std::vector<CccfDocument> documents;
  for (const NamedText& one : texts) {
    auto document = read_cccf(one.text, one.file, syntax_of(one.file));
    if (!document) return document;
    documents.push_back(*std::move(document));
  }
  return substitute(join(std::move(documents)), *values);
}

/// Says what is wrong with a document; its warnings are validate's to say.
bool is_valid(Program& program, const CccfDocument& document) {
  CccfDiagnostics diagnostics = validate_cccf(document);
  std::erase_if(diagnostics, [](const CccfDiagnostic& one) {
    return one.severity != CccfDiagnostic::Severity::error;
  });
  return !say_diagnostics(program, diagnostics);
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
  auto texts = read_texts(program.terminal, input.files);
  auto document = texts ? read_documents(program.terminal, *texts, input.variables)
                        : Result<CccfDocument>(tl::unexpected(texts.error()));
  if (document) return *std::move(document);
  program.exit = report(program.terminal, document.error());
  return std::nullopt;
}

std::optional<CccfDocument> read_valid_input(Program& program, const CccfInput& input) {
  auto document = read_input(program, input);
  if (document && !is_valid(program, *document)) return std::nullopt;
  return document;
}

std::optional<std::variant<CccfDocument, CccfDifference>> read_document_or_difference(
    Program& program, const CccfInput& input) {
  const auto refuse = [&](const Error& error) {
    program.exit = report(program.terminal, error);
    return std::nullopt;
  };
  const auto texts = read_texts(program.terminal, input.files);
  if (!texts) return refuse(texts.error());
  if (texts->size() == 1) {
    const auto& [file, text] = texts->front();
    const auto json = parse_json(text);
    auto difference = json ? read_difference(*json, file) : std::nullopt;
    if (difference) {
      const auto variables = read_variables(program.terminal, input.variables);
      if (!variables) return refuse(variables.error());
      for (auto* const items : {&difference->add, &difference->keep, &difference->remove}) {
        CccfDocument part;
        part.items = std::move(*items);
        part = substitute(std::move(part), *variables);
        if (!is_valid(program, part)) return std::nullopt;
        *items = std::move(part.items);
      }
      return *std::move(difference);
    }
  }
  auto document = read_documents(program.terminal, *texts, input.variables);
  if (!document) return refuse(document.error());
  if (!is_valid(program, *document)) return std::nullopt;
  return *std::move(document);
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
      "  shoal cccf scale < app.json | shoal cccf place --nodes nodes.json |\n"
      "    shoal cccf diff --current now.json | shoal cccf instructions --print\n\n"
      "They need no node. docs/cccf.md has all of it.");
  add_cccf_validate(*cccf, program);
  add_cccf_scale(*cccf, program);
  add_cccf_unscale(*cccf, program);
  add_cccf_diff(*cccf, program);
  add_cccf_place(*cccf, program);
  add_cccf_instructions(*cccf, program);
  add_cccf_from_docker(*cccf, program);
  add_cccf_random(*cccf, program);
}

}  // namespace shoal

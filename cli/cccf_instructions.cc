#include <algorithm>
#include <ostream>

#include <CLI/CLI.hpp>

#include "cli/cccf.h"
#include "orchestrator/cccf/instructions.h"
#include "orchestrator/cccf/words.h"

namespace shoal {
namespace {

struct Options {
  std::string verb;
  bool print = false;
  bool no_detach = false;
  std::vector<std::string> flags;
  InstructionOptions instructions;
};

constexpr DockerVerb kVerbs[] = {DockerVerb::run, DockerVerb::start, DockerVerb::stop,
                                 DockerVerb::kill, DockerVerb::rm};

void write(Program& program, const std::vector<DockerInstruction>& calls, bool print) {
  if (print) {
    for (const DockerInstruction& call : calls) {
      program.terminal.out << quote_words(call.argv) << '\n';
    }
    return;
  }
  JsonValue::Array list;
  for (const DockerInstruction& call : calls) {
    JsonValue one = JsonValue::Object();
    one.set("id", call.id);
    one.set("verb", std::string(to_string(call.verb)));
    one.set("host", call.host.empty() ? JsonValue() : JsonValue(call.host));
    one.set("argv", JsonValue::Array(call.argv.begin(), call.argv.end()));
    list.push_back(std::move(one));
  }
  write_json(program.terminal, list);
}

void run(Program& program, const CccfInput& input, const Options& options) {
  InstructionOptions wanted = options.instructions;
  wanted.detach = !options.no_detach;
  for (const std::string& flag : options.flags) {
    const auto equals = std::min(flag.find('='), flag.size());
    const auto value = std::min(equals + 1, flag.size());
    wanted.flags.emplace_back(flag.substr(0, equals), flag.substr(value));
  }
  const auto read = read_document_or_difference(program, input);
  if (!read) return;
  CccfDiagnostics problems;
  std::vector<DockerInstruction> calls;
  if (const auto* const difference = std::get_if<CccfDifference>(&*read)) {
    if (!options.verb.empty()) {
      program.exit = report(program.terminal, {Errc::usage,
                                               "--verb: what `shoal cccf diff` wrote says itself "
                                               "what to stop and what to run"});
      return;
    }
    calls = docker_instructions(*difference, wanted, problems);
  } else {
    const auto verb = std::find_if(std::begin(kVerbs), std::end(kVerbs),
                                   [&](DockerVerb one) { return to_string(one) == options.verb; });
    calls = docker_instructions(verb == std::end(kVerbs) ? DockerVerb::run : *verb,
                                std::get<CccfDocument>(*read), wanted, problems);
  }
  if (!say_diagnostics(program, problems)) write(program, calls, options.print);
}

}  // namespace

void add_cccf_instructions(CLI::App& cccf, Program& program) {
  auto* command =
      cccf.add_subcommand("instructions", "Say what to call on Docker's command line, in order");
  const auto input = add_cccf_input(*command);
  auto options = std::make_shared<Options>();
  command->add_option("--verb", options->verb, "What to do with the containers of a document [run]")
      ->type_name("run|start|stop|kill|rm")
      ->check(CLI::IsMember({"run", "start", "stop", "kill", "rm"}).description(""));
  command->add_flag("--print", options->print, "Lines for a shell, not JSON");
  command->add_flag("--no-detach", options->no_detach, "Leave -d away");
  command
      ->add_option("--exclude", options->instructions.exclude,
                   "A field that is no flag of Docker's")
      ->type_name("FIELD")
      ->allow_extra_args(false);
  command->add_option("--flag", options->flags, "--NAME=VALUE for every container")
      ->type_name("NAME=VALUE")
      ->allow_extra_args(false);
  command->footer(
      "Takes a document, or what `shoal cccf diff` wrote: then what is to be removed is stopped "
      "and\n"
      "removed, and what is to be added is run. Nothing is called here.\n\n"
      "Examples:\n"
      "  shoal cccf scale app.json | shoal cccf instructions --print | sh -e\n"
      "  shoal cccf instructions --verb stop --print app.json\n"
      "  shoal cccf instructions --print --flag dns=192.0.2.53 --flag env=A=B app.json");
  command->callback([=, &program] { run(program, *input, *options); });
}

}  // namespace shoal

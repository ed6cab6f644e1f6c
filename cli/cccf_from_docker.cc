#include <CLI/CLI.hpp>

#include "cli/cccf.h"
#include "cli/cccf_engine.h"
#include "orchestrator/cccf/from_docker.h"

namespace shoal {
namespace {

struct Options {
  std::vector<std::string> files;
  std::string engine;
  bool all = false;
  std::string host;
};

Result<DockerInspection> inspection_of(Terminal& terminal, const Options& options) {
  if (!options.engine.empty()) return inspect_engine(options.engine, options.all);
  DockerInspection inspection;
  const std::vector<std::string> standard_input = {"-"};
  for (const std::string& file : options.files.empty() ? standard_input : options.files) {
    const auto text = read_text(terminal, file);
    if (!text) return tl::unexpected(text.error());
    auto added = add_inspection(*text, inspection);
    if (added) continue;
    if (file != "-") added.error().message = file + ": " + added.error().message;
    return tl::unexpected(added.error());
  }
  return inspection;
}

void run(Program& program, const Options& options) {
  const auto inspection = inspection_of(program.terminal, options);
  if (!inspection) {
    program.exit = report(program.terminal, inspection.error());
    return;
  }
  CccfDiagnostics problems;
  const CccfDocument document = from_docker(*inspection, options.host, problems);
  if (!say_diagnostics(program, problems)) write_json(program.terminal, document.to_json());
}

}  // namespace

void add_cccf_from_docker(CLI::App& cccf, Program& program) {
  auto* command =
      cccf.add_subcommand("from-docker", "Write the document of containers that Docker has");
  auto options = std::make_shared<Options>();
  auto* files = command->add_option("FILE", options->files,
                                    "What `docker inspect` wrote; standard input if none is named");
  auto* engine =
      command->add_option("--engine", options->engine, "Ask the engine on this socket itself")
          ->type_name("unix://PATH")
          ->excludes(files);
  command->add_flag("--all", options->all, "Those that do not run, too")->needs(engine);
  command->add_option("--host", options->host, "Becomes the `host` of each container")
      ->type_name("ADDRESS");
  command->footer(
      "Of what an image gives by default nothing stands in the document, if the image was\n"
      "inspected, too: containers and images may come in one stream.\n\n"
      "Examples:\n"
      "  shoal cccf from-docker --engine unix:///var/run/docker.sock\n"
      "  C=$(docker ps -q)\n"
      "  docker inspect $C $(docker inspect -f '{{.Image}}' $C) | shoal cccf from-docker\n"
      "  ssh b 'docker inspect web app:1' | shoal cccf from-docker --host ssh://b");
  command->callback([=, &program] { run(program, *options); });
}

}  // namespace shoal

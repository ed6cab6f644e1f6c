#include <CLI/CLI.hpp>

#include "cli/cccf.h"
#include "orchestrator/cccf/from_docker.h"

namespace shoal {
namespace {

struct Options {
  std::vector<std::string> files;
  std::string host;
};

void run(Program& program, const Options& options) {
  DockerInspection inspection;
  const std::vector<std::string> standard_input = {"-"};
  for (const std::string& file : options.files.empty() ? standard_input : options.files) {
    const auto text = read_text(program.terminal, file);
    if (!text) {
      program.exit = report(program.terminal, text.error());
      return;
    }
    auto added = add_inspection(*text, inspection);
    if (!added) {
      Error error = added.error();
      if (file != "-") error.message = file + ": " + error.message;
      program.exit = report(program.terminal, error);
      return;
    }
  }
  CccfDiagnostics problems;
  const CccfDocument document = from_docker(inspection, options.host, problems);
  if (!say_diagnostics(program, problems)) write_json(program.terminal, document.to_json());
}

}  // namespace

void add_cccf_from_docker(CLI::App& cccf, Program& program) {
  auto* command =
      cccf.add_subcommand("from-docker", "Write the document of containers that Docker has");
  auto options = std::make_shared<Options>();
  command->add_option("FILE", options->files,
                      "What `docker inspect` wrote; standard input if none is named");
  command->add_option("--host", options->host, "Becomes the `host` of each container")
      ->type_name("ADDRESS");
  command->footer(
      "Of what an image gives by default nothing stands in the document, if the image was\n"
      "inspected, too: containers and images may come in one stream.\n\n"
      "Examples:\n"
      "  C=$(docker ps -q)\n"
      "  docker inspect $C $(docker inspect -f '{{.Image}}' $C) | shoal cccf from-docker\n"
      "  ssh b 'docker inspect web app:1' | shoal cccf from-docker --host ssh://b");
  command->callback([=, &program] { run(program, *options); });
}

}  // namespace shoal

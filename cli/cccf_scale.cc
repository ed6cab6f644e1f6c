#include <CLI/CLI.hpp>

#include "cli/cccf.h"
#include "orchestrator/cccf/scale.h"

namespace shoal {
namespace {

void scale(Program& program, const CccfInput& input) {
  const auto document = read_valid_input(program, input);
  if (!document) return;
  CccfDiagnostics problems;
  const CccfDocument scaled = scale_up(*document, problems);
  if (!say_diagnostics(program, problems)) write_json(program.terminal, scaled.to_json());
}

void unscale(Program& program, const CccfInput& input) {
  const auto document = read_valid_input(program, input);
  if (document) write_json(program.terminal, scale_down(*document).to_json());
}

}  // namespace

void add_cccf_scale(CLI::App& cccf, Program& program) {
  auto* command = cccf.add_subcommand("scale", "Write out each container as often as `scale` says");
  const auto input = add_cccf_input(*command);
  command->footer(
      "The container itself comes first and keeps its `scale`; its copies are called ID-scale-1,\n"
      "ID-scale-2 and so on. A scale of 0 is no container.\n\n"
      "Example:\n"
      "  shoal cccf scale app.json | shoal cccf instructions --print");
  command->callback([=, &program] { scale(program, *input); });
}

void add_cccf_unscale(CLI::App& cccf, Program& program) {
  auto* command = cccf.add_subcommand("unscale", "Write instances of one container as one again");
  const auto input = add_cccf_input(*command);
  command->footer(
      "Containers X-scale-1, X-scale-2 ... that are as X is are left out, and X has their number "
      "as\n"
      "its `scale`.\n\n"
      "Example:\n"
      "  docker inspect $(docker ps -q) | shoal cccf from-docker | shoal cccf unscale");
  command->callback([=, &program] { unscale(program, *input); });
}

}  // namespace shoal

#include <ostream>

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/followed_run.h"
#include "cli/human.h"

namespace shoal {
namespace {

using Json = nlohmann::ordered_json;

std::uint64_t number_in(const Json& report, const char* name) {
  return report.value(name, std::uint64_t{0});
}

std::string summary(const Json& report) {
  return fmt::format("freed {}: {} and {} dropped", human_bytes(number_in(report, "bytes_freed")),
                     counted(number_in(report, "manifests_dropped"), "manifest"),
                     counted(number_in(report, "blobs_dropped"), "blob"));
}

void print(std::ostream& out, const Json& result) {
  out << summary(result) << '\n';
  const auto kept = number_in(result, "kept_by_lease");
  if (kept > 0) out << "kept, in use or asked for a moment ago: " << kept << '\n';
  const auto waiting = number_in(result, "waiting");
  if (waiting > 0) out << "waiting for the end of their grace: " << waiting << '\n';
}

ExitCode run(Terminal& terminal, const ClientOptions& client, bool now) {
  const auto read = [](std::string_view text) {
    return RunProgress{0, 0, summary(Json::parse(text))};
  };
  const auto result = follow_run(terminal, client, "gc", now ? "gc?now=true" : "gc",
                                 "the node ended the collection early", read);
  if (!result) return report(terminal, result.error());
  if (client.json)
    terminal.out << *result << '\n';
  else
    print(terminal.out, Json::parse(*result));
  return ExitCode::ok;
}

}  // namespace

void add_gc_command(CLI::App& app, Program& program) {
  auto* command = app.add_subcommand("gc", "Free what no image needs any more");
  const auto client = add_client_options(*command, program);
  auto now = std::make_shared<bool>(false);
  command->add_flag("--now", *now, "Take also what was deleted or uploaded only a moment ago");
  command->footer(
      "A node collects garbage by itself, some time after content lost its last name\n"
      "(store.gc-grace). This does it now, while the node serves. With --now nothing waits for "
      "its\n"
      "grace: a push that runs meanwhile may have to send a layer again.\n\n"
      "Examples:\n"
      "  shoal gc\n"
      "  shoal rm app:1 && shoal gc --now");
  command->callback([=, &program] { program.exit = run(program.terminal, *client, *now); });
}

}  // namespace shoal

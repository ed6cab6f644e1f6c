#include <ostream>

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/followed_run.h"
#include "cli/human.h"
#include "cli/units.h"

namespace shoal {
namespace {

using Json = nlohmann::ordered_json;

std::uint64_t number_in(const Json& report, const char* name) {
  return report.value(name, std::uint64_t{0});
}

std::string summary(const Json& report) {
  return fmt::format("{}, {}", counted(number_in(report, "blobs"), "blob"),
                     human_bytes(number_in(report, "bytes")));
}

void print(std::ostream& out, const Json& result) {
  const Json& bad = result.at("quarantined");
  out << "read " << summary(result) << ": "
      << (bad.empty() ? "all as it was pushed" : counted(bad.size(), "blob") + " damaged") << '\n';
  for (const Json& digest : bad) {
    out << "damaged " << printable(digest.get<std::string>())
        << " (no longer served; push it again to repair it)\n";
  }
}

ExitCode run(Terminal& terminal, const ClientOptions& client, const std::string& rate) {
  const auto bytes_per_second = parse_bytes(rate);
  if (!bytes_per_second) {
    return report(terminal, {Errc::usage, "--rate: " + bytes_per_second.error().message});
  }
  const auto read = [](std::string_view text) {
    const Json so_far = Json::parse(text);
    return RunProgress{number_in(so_far, "bytes"), number_in(so_far, "bytes_total"),
                       summary(so_far)};
  };
  const std::string ended_early = "the node ended the scrub early; it goes on there next time";
  const auto text = follow_run(terminal, client, "scrub",
                               fmt::format("scrub?rate={}", *bytes_per_second), ended_early, read);
  if (!text) return report(terminal, text.error());
  const Json result = Json::parse(*text);
  if (!result.at("complete").get<bool>()) return report(terminal, {Errc::io, ended_early});
  if (client.json)
    terminal.out << *text << '\n';
  else
    print(terminal.out, result);
  return result.at("quarantined").empty() ? ExitCode::ok : ExitCode::bad_content;
}

}  // namespace

void add_scrub_command(CLI::App& app, Program& program) {
  auto* command = app.add_subcommand("scrub", "Read all content and check it against its digests");
  const auto client = add_client_options(*command, program);
  auto rate = std::make_shared<std::string>("0");
  command->add_option("--rate", *rate, "Bytes a second to read at most; 0 is as fast as it goes")
      ->type_name("SIZE")
      ->capture_default_str();
  command->footer(
      "A node scrubs by itself, slowly (store.scrub-rate). This goes on where the last pass "
      "stopped\n"
      "and reads to the end. Content that is damaged is no longer served; pushing it again "
      "repairs\n"
      "it. The exit code is 5 when something was found.\n\n"
      "Examples:\n"
      "  shoal scrub\n"
      "  shoal scrub --rate 50MiB");
  command->callback([=, &program] { program.exit = run(program.terminal, *client, *rate); });
}

}  // namespace shoal

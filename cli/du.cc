#include <optional>
#include <ostream>

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/human.h"

namespace shoal {
namespace {

using Json = nlohmann::ordered_json;

std::uint64_t number_in(const Json& object, const char* name) {
  return object.at(name).get<std::uint64_t>();
}

Result<Json> fetch(NodeClient& node) {
  Json answer;
  Json repositories = Json::array();
  for (std::string last;;) {
    const auto body = node.send("GET", "usage?n=200" + (last.empty() ? "" : "&last=" + last));
    if (!body) return tl::unexpected(body.error());
    Json page = Json::parse(*body);
    for (Json& entry : page.at("repositories")) repositories.push_back(std::move(entry));
    answer = {{"usage", page.at("usage")}};
    if (!page.contains("next")) break;
    last = percent_encode(page["next"].get<std::string>());
  }
  answer["repositories"] = std::move(repositories);
  return answer;
}

void print(std::ostream& out, const Json& answer) {
  const Json& usage = answer.at("usage");
  const auto bytes = [&](const char* name) { return human_bytes(number_in(usage, name)); };
  out << fmt::format("Content    {} in {}\n", bytes("content_bytes"),
                     counted(number_in(usage, "blobs"), "blob"));
  out << "On disk    " << bytes("stored_bytes");
  const auto quota = number_in(usage, "quota_bytes");
  if (quota > 0) {
    const double share =
        static_cast<double>(number_in(usage, "stored_bytes")) / static_cast<double>(quota);
    out << fmt::format(" of {} ({:.0f} %)", human_bytes(quota), share * 100);
  }
  out << '\n';
  if (number_in(usage, "uploads") > 0) {
    out << fmt::format("Uploads    {} in {}\n", bytes("upload_bytes"),
                       counted(number_in(usage, "uploads"), "open session"));
  }
  if (number_in(usage, "arrivals") > 0) {
    out << fmt::format("Arrivals   {} in {} from other nodes\n", bytes("arrival_bytes"),
                       counted(number_in(usage, "arrivals"), "blob"));
  }
  if (number_in(usage, "quarantined") > 0) {
    out << fmt::format("Damaged    {} in quarantine\n",
                       counted(number_in(usage, "quarantined"), "blob"));
  }
  out << "Free       " << bytes("disk_free_bytes") << '\n';

  if (answer.at("repositories").empty()) return;
  out << '\n';
  Table table({"REPOSITORY", ">TAGS", ">MANIFESTS", ">CONTENT"});
  for (const Json& entry : answer["repositories"]) {
    table.add({entry.at("repository"), std::to_string(number_in(entry, "tags")),
               std::to_string(number_in(entry, "manifests")),
               human_bytes(number_in(entry, "content_bytes"))});
  }
  table.print(out);
}

ExitCode run(Terminal& terminal, const ClientOptions& client) {
  auto node = NodeClient::to(client.node);
  if (!node) return report(terminal, node.error());
  const auto answer = fetch(*node);
  if (!answer) return report(terminal, answer.error());
  if (client.json)
    terminal.out << answer->dump() << '\n';
  else
    print(terminal.out, *answer);
  return ExitCode::ok;
}

}  // namespace

void add_du_command(CLI::App& app, Program& program) {
  auto* command = app.add_subcommand("du", "Show what the store takes on disk");
  const auto client = add_client_options(*command, program);
  command->footer(
      "Content is what clients pushed, each blob once; on disk it may be less, because what\n"
      "compresses is compressed. A layer that several repositories share is counted in each of\n"
      "them, so that they may add up to more than the store holds.\n\n"
      "Examples:\n"
      "  shoal du\n"
      "  shoal du --json | jq .usage.stored_bytes");
  command->callback([=, &program] { program.exit = run(program.terminal, *client); });
}

}  // namespace shoal

#include <chrono>
#include <ostream>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/human.h"
#include "registry/rfc3339.h"

namespace shoal {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kDigestShown = 7 + 12;  // "sha256:" and what people compare.
constexpr std::size_t kPlatformsShown = 2;

struct Options {
  std::string repository;
  bool digests = false;
};

/// All images, page by page.
Result<Json> fetch(NodeClient& node, const std::string& repository) {
  Json images = Json::array();
  std::string target = "images?n=1000";
  if (!repository.empty()) target += "&repository=" + percent_encode(repository);
  for (std::string last;;) {
    const auto body = node.send("GET", last.empty() ? target : target + "&last=" + last);
    if (!body) return tl::unexpected(body.error());
    Json page = Json::parse(*body);
    for (Json& image : page.at("images")) images.push_back(std::move(image));
    if (!page.contains("next")) return images;
    last = percent_encode(page["next"].get<std::string>());
  }
}

std::string platforms_text(const Json& platforms) {
  if (platforms.size() > kPlatformsShown) return counted(platforms.size(), "platform");
  std::string text;
  for (const Json& platform : platforms) {
    text += (text.empty() ? "" : ", ") + platform.get<std::string>();
  }
  return text.empty() ? "-" : text;
}

void print(std::ostream& out, const Json& images, bool whole_digests) {
  const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  Table table({"REPOSITORY", "TAG", "DIGEST", ">SIZE", "PLATFORMS", "PUSHED"});
  for (const Json& image : images) {
    auto digest = image.at("digest").get<std::string>();
    if (!whole_digests) digest.resize(std::min(digest.size(), kDigestShown));
    if (!image.value("present", true)) {
      // Another node has it, and only that one knows more.
      table.add({image.at("repository"), image.at("tag"), digest, "elsewhere", "-", "-"});
      continue;
    }
    const auto pushed = parse_rfc3339(image.at("pushed").get<std::string>());
    table.add({image.at("repository"), image.at("tag"), digest,
               human_bytes(image.at("size").get<std::uint64_t>()),
               platforms_text(image.at("platforms")), pushed ? human_age(*pushed, now) : "-"});
  }
  table.print(out);
}

ExitCode run(Terminal& terminal, const ClientOptions& client, const Options& options) {
  auto node = NodeClient::to(client.node);
  if (!node) return report(terminal, node.error());
  const auto images = fetch(*node, options.repository);
  if (!images) return report(terminal, images.error());
  if (client.json)
    terminal.out << Json{{"images", *images}}.dump() << '\n';
  else
    print(terminal.out, *images, options.digests);
  return ExitCode::ok;
}

}  // namespace

void add_images_command(CLI::App& app, Program& program) {
  auto* command = app.add_subcommand("images", "List the images on a node");
  command->alias("ls");
  auto options = std::make_shared<Options>();
  const auto client = add_client_options(*command, program);
  command->add_option("REPOSITORY", options->repository, "Only this repository");
  command->add_flag("--digests", options->digests, "Whole digests");
  command->footer(
      "The size is that of manifests, configs and layers together, each counted once per image.\n"
      "In a cluster the images of all nodes are listed; those that this node has not pulled yet\n"
      "are marked `elsewhere`.\n\n"
      "Examples:\n"
      "  shoal images\n"
      "  shoal images team/app\n"
      "  shoal images --json | jq -r '.images[] | .repository + \":\" + .tag'");
  command->callback([=, &program] { program.exit = run(program.terminal, *client, *options); });
}

}  // namespace shoal

#include <filesystem>
#include <fstream>
#include <iterator>
#include <ostream>

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/followed_run.h"
#include "cli/human.h"
#include "storage/digest.h"

namespace shoal {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::uintmax_t kFileBytesMax = 8 << 20;

struct Options {
  std::string digest;
  std::string fetch;       // A .torrent file.
  std::string repository;  // For what it names.
};

ExitCode write_file(Terminal& terminal, const ClientOptions& client, const std::string& text) {
  const auto digest = Digest::parse(text);
  if (!digest) return report(terminal, digest.error());
  if (terminal.out_is_terminal) {
    return report(terminal, {Errc::usage,
                             "a .torrent file is no text for a terminal: write it "
                             "somewhere, as in `> layer.torrent`"});
  }
  auto node = NodeClient::to(client.node);
  if (!node) return report(terminal, node.error());
  const auto file = node->send("GET", "torrents/" + digest->to_string());
  if (!file) return report(terminal, file.error());
  terminal.out << *file;
  return ExitCode::ok;
}

ExitCode fetch(Terminal& terminal, const ClientOptions& client, const Options& options) {
  std::error_code error;
  const bool sound = std::filesystem::is_regular_file(options.fetch, error) &&
                     std::filesystem::file_size(options.fetch, error) <= kFileBytesMax;
  if (!sound) return report(terminal, {Errc::usage, options.fetch + " is no .torrent file"});
  std::ifstream file(options.fetch, std::ios::binary);
  const std::string torrent((std::istreambuf_iterator<char>(file)), {});
  if (!file) return report(terminal, {Errc::usage, "cannot read " + options.fetch});
  const auto read = [](std::string_view text) {
    const Json so_far = Json::parse(text);
    const auto bytes = so_far.at("arrived_bytes").get<std::uint64_t>();
    return RunProgress{bytes, so_far.at("bytes").get<std::uint64_t>(), human_bytes(bytes)};
  };
  const auto text = follow_run(
      terminal, client, "torrent", "torrents?repository=" + percent_encode(options.repository),
      "the node ended before the layer was here; run it again", read, torrent);
  if (!text) return report(terminal, text.error());
  if (client.json) {
    terminal.out << *text << '\n';
    return ExitCode::ok;
  }
  const Json fetched = Json::parse(*text);
  terminal.out << fmt::format("{} ({}) is here, in {}\n", fetched.at("digest").get<std::string>(),
                              human_bytes(fetched.at("bytes").get<std::uint64_t>()),
                              printable(options.repository));
  return ExitCode::ok;
}

}  // namespace

void add_torrent_command(CLI::App& app, Program& program) {
  auto* command =
      app.add_subcommand("torrent", "Share layers with other clients of BitTorrent on this host");
  const auto client = add_client_options(*command, program);
  auto options = std::make_shared<Options>();
  auto* digest =
      command->add_option("DIGEST", options->digest, "A layer; its .torrent file goes to stdout");
  auto* repository = command
                         ->add_option("--repository", options->repository,
                                      "Where the fetched layer shall be a blob")
                         ->type_name("NAME");
  command
      ->add_option("--fetch", options->fetch,
                   "A .torrent file that a node made: get its layer from whoever has it")
      ->type_name("FILE")
      ->needs(repository)
      ->excludes(digest);
  command->footer(
      "For a node that was started with --swarm-open 127.0.0.1:6881, as a test: whoever is on "
      "this\n"
      "host may then read and write layers by BitTorrent.\n\n"
      "Examples:\n"
      "  shoal torrent sha256:... > layer.torrent && aria2c layer.torrent\n"
      "  shoal torrent --fetch layer.torrent --repository app");
  command->callback([=, &program] {
    if (!options->fetch.empty()) {
      program.exit = fetch(program.terminal, *client, *options);
    } else if (!options->digest.empty()) {
      program.exit = write_file(program.terminal, *client, options->digest);
    } else {
      program.exit =
          report(program.terminal, {Errc::usage, "say which: a layer's DIGEST, or --fetch FILE"});
    }
  });
}

}  // namespace shoal

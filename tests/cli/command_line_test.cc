#include "cli/command_line.h"

#include <fstream>
#include <sstream>

#include <nlohmann/json.hpp>

#include "registry/rfc3339.h"
#include "tests/cli/node_fixture.h"

namespace shoal {
namespace {

using Catch::Contains;
using Json = nlohmann::json;

const std::vector<std::string> kCommands = {
    "node",   "images", "inspect",    "rm",      "gc",        "scrub",   "du",
    "events", "config", "completion", "version", "transfers", "torrent", "cccf"};

TEST_CASE("Every command has help with its flags and an example", "[cli]") {
  const auto main_help = NodeTest::shoal({"--help"});
  CHECK(main_help.exit == ExitCode::ok);
  for (const std::string& command : kCommands) {
    CAPTURE(command);
    CHECK_THAT(main_help.out, Contains("  " + command));
    const auto help = NodeTest::shoal({command, "--help"});
    CHECK(help.exit == ExitCode::ok);
    CHECK(help.err.empty());
    CHECK_THAT(help.out, Contains("Usage: shoal " + command) || Contains("shoal " + command));
  }
  CHECK_THAT(main_help.out, Contains("no such image") && Contains("damaged"));
  CHECK_THAT(NodeTest::shoal({"node", "--help"}).out, Contains("--store-quota SIZE") &&
                                                          Contains("--listen HOST:PORT") &&
                                                          Contains("--log-format auto|text|json"));
}

TEST_CASE("Wrong usage ends with 2 and names what is nearest", "[cli]") {
  const auto [arguments, message] = GENERATE(table<std::vector<std::string>, std::string>({
      {{"--node"}, "`--node` is not known here"},
      {{"imags"}, "`imags` is not known here; the nearest that is: `images`"},
      {{"node", "--stor-quota", "5GiB"},
       "`--stor-quota` is not known here; the nearest that is: "
       "`--store-quota`"},
      {{"images", "--jsn"}, "the nearest that is: `--json`"},
      {{"inspect"}, "IMAGE is required"},
      {{"completion", "fish"}, "fish"},
      {{"node", "--store-quota", "lots"}, "--store-quota: store.quota: \"lots\" is not a size"},
      {{"node", "--store-quota"}, "--store-quota"},
      {{"scrub", "--rate", "fast"}, "--rate: \"fast\" is not a size"},
      {{"images", "--node", "not a url"}, "not a url"},
      {{"cccf", "validat"},
       "shoal cccf: `validat` is not known here; the nearest that is: "
       "`validate`"},
      {{"cccf", "validate", "--strct"}, "shoal cccf validate: `--strct` is not known here"},
      {{"torrent"}, "DIGEST"},
      {{"torrent", "sha256:short"}, "want sha256:"},
      {{"torrent", "--fetch", "/nonexistent"}, "--fetch requires --repository"},
      {{"torrent", "--fetch", "/nonexistent", "--repository", "a"},
       "/nonexistent is no .torrent file"},
      {{"node", "--swarm-open", "10.0.0.7:6881"}, "is not on the loopback"},
      {{"node", "--swarm-open", "127.0.0.1:6881"}, "swarm.open needs cluster.listen"},
  }));
  CAPTURE(arguments);
  const auto ran = NodeTest::shoal(arguments, {{"HOME", "/nonexistent"}});
  CHECK(ran.exit == ExitCode::usage);
  CHECK(ran.out.empty());
  CHECK_THAT(ran.err, Contains(message));
}

TEST_CASE("Without a command the help is a keystroke away", "[cli]") {
  const auto ran = NodeTest::shoal({});
  CHECK(ran.exit == ExitCode::usage);
  CHECK_THAT(ran.err, Contains("shoal --help"));
}

TEST_CASE("Without a node the commands end with 4 and name the address", "[cli]") {
  const auto command =
      GENERATE(as<std::vector<std::string>>(), std::vector<std::string>{"images"},
               std::vector<std::string>{"inspect", "app"}, std::vector<std::string>{"rm", "app"},
               std::vector<std::string>{"gc"}, std::vector<std::string>{"scrub"},
               std::vector<std::string>{"du"}, std::vector<std::string>{"events"},
               std::vector<std::string>{"transfers", "--watch"},
               std::vector<std::string>{"torrent", Digest::of("a layer").to_string()});
  // A port that was free a moment ago, and is bound by nobody.
  std::string address;
  {
    const NodeTest gone;
    address = gone.node->addresses().front();
  }
  const auto ran = NodeTest::shoal(command, {{"SHOAL_NODE", "http://" + address}});
  CHECK(ran.exit == ExitCode::unreachable);
  CHECK_THAT(ran.err, Contains(address));
}

TEST_CASE("The configuration is shown with its sources, for people and for programs", "[cli]") {
  const Environment environment = {{"HOME", "/nonexistent"}, {"SHOAL_LOG_LEVEL", "warn"}};
  const auto table = NodeTest::shoal({"config", "--store-quota", "5GiB"}, environment);
  CHECK(table.exit == ExitCode::ok);
  CHECK_THAT(table.out, Contains("store.quota") && Contains("5GiB") && Contains("--store-quota"));
  const auto ran = NodeTest::shoal(
      {"config", "--json", "--listen", "127.0.0.1:1", "--listen", "127.0.0.1:2"}, environment);
  const Json json = Json::parse(ran.out);
  CHECK(json["log.level"] == Json{{"value", "warn"}, {"from", "SHOAL_LOG_LEVEL"}});
  CHECK(json["listen"] == Json{{"value", "127.0.0.1:1,127.0.0.1:2"}, {"from", "--listen"}});
}

TEST_CASE_METHOD(NodeTest, "Images are listed for people and for programs", "[cli]") {
  CHECK(command({"images"}).out == "REPOSITORY  TAG  DIGEST  SIZE  PLATFORMS  PUSHED\n");
  const Digest digest = push_image("team/app", "1", "layer");
  push_image("other", "1", "layer");
  const auto table = command({"ls"});
  CHECK(table.exit == ExitCode::ok);
  CHECK_THAT(table.out, Contains("team/app") && Contains(digest.to_string().substr(0, 19)) &&
                            Contains("linux/amd64"));
  CHECK_THAT(command({"images", "team/app", "--digests"}).out,
             Contains(digest.to_string()) && !Contains("other"));
  const Json json = Json::parse(command({"images", "--json"}).out);
  CHECK(json["images"].size() == 2);
  CHECK(json["images"][1]["digest"] == digest.to_string());
  CHECK(command({"images", "none"}).exit == ExitCode::not_found);
}

TEST_CASE_METHOD(NodeTest, "All pages of a long list are shown", "[cli]") {
  const Digest digest = push_image("app", "0", "layer");
  const auto manifest = ask("GET", "/v2/app/manifests/0").body;
  Headers headers;
  headers.add("Content-Type", "application/vnd.oci.image.manifest.v1+json");
  std::string target = "/v2/app/manifests/" + digest.to_string() + "?tag=0";
  for (int i = 1; i <= 1200; ++i) {
    if (i % 15 != 0) {
      target += "&tag=" + std::to_string(i);
      continue;
    }
    REQUIRE(ask("PUT", target, headers, manifest).status == 201);
    target = "/v2/app/manifests/" + digest.to_string() + "?tag=" + std::to_string(i);
  }
  REQUIRE(ask("PUT", target, headers, manifest).status == 201);
  CHECK(Json::parse(command({"images", "--json"}).out)["images"].size() == 1201);
}

TEST_CASE_METHOD(NodeTest, "An image is inspected by people and by programs", "[cli]") {
  const Digest digest = push_image("app", "1", "layer");
  const auto text = command({"inspect", "app:1"});
  CHECK(text.exit == ExitCode::ok);
  CHECK_THAT(text.out, Contains("Name         app:1") && Contains(digest.to_string()) &&
                           Contains("Cmd          /bin/sh") &&
                           Contains(Digest::of("layer").to_string()));
  const Json json = Json::parse(command({"inspect", "app:1", "--json"}).out);
  CHECK(json["manifest"]["layers"].size() == 1);
  CHECK(command({"inspect", "app:2"}).exit == ExitCode::not_found);
  CHECK(command({"inspect", "none"}).exit == ExitCode::not_found);
  CHECK(command({"inspect", "APP"}).exit == ExitCode::usage);
}

TEST_CASE_METHOD(NodeTest, "What is removed and collected is gone", "[cli]") {
  push_image("app", "1", std::string(100'000, 'x'));
  push_image("app", "2", "layer");
  const auto removed = command({"rm", "none", "app:1", "app:2"});
  CHECK(removed.exit == ExitCode::not_found);
  CHECK_THAT(removed.out, Contains("removed app:1") && Contains("removed app:2"));
  CHECK_THAT(removed.err, Contains("none"));

  const auto collected = command({"gc", "--now"});
  CHECK(collected.exit == ExitCode::ok);
  CHECK_THAT(collected.out, Contains("freed ") && Contains("3 blobs dropped"));
  CHECK(Json::parse(command({"du", "--json"}).out)["usage"]["blobs"] == 0);
  CHECK(Json::parse(command({"gc", "--json"}).out)["blobs_dropped"] == 0);
}

TEST_CASE_METHOD(NodeTest, "What the store takes is shown by repository", "[cli]") {
  push_image("app", "1", std::string(100'000, 'x'));
  const auto text = command({"du"});
  CHECK(text.exit == ExitCode::ok);
  CHECK_THAT(text.out, Contains("Content ") && Contains("On disk ") && Contains("app "));
  const Json json = Json::parse(command({"du", "--json"}).out);
  CHECK(json["repositories"][0]["repository"] == "app");
  CHECK(json["repositories"][0]["content_bytes"] > 100'000);
}

TEST_CASE_METHOD(NodeTest, "A scrub of sound content ends with 0", "[cli]") {
  push_image("app", "1", "layer");
  const auto text = command({"scrub"});
  CHECK(text.exit == ExitCode::ok);
  CHECK_THAT(text.out, Contains("all as it was pushed"));
  CHECK(Json::parse(command({"scrub", "--json", "--rate", "1GiB"}).out)["complete"] == true);
}

TEST_CASE_METHOD(NodeTest, "A scrub that finds damage ends with 5 and names the blob", "[cli]") {
  const std::string layer = random_bytes(3 << 20, 1);
  push_image("app", "1", layer);
  node.reset();
  // One byte of the segment's file, in the middle of the layer.
  std::filesystem::path segment;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(config.store.directory)) {
    if (entry.is_regular_file() && entry.file_size() >= layer.size()) segment = entry.path();
  }
  REQUIRE_FALSE(segment.empty());
  {
    std::fstream file(segment, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(1 << 20);
    const int byte = file.get();
    file.seekp(1 << 20);
    file.put(static_cast<char>(byte ^ 1));
  }
  start();
  const auto ran = command({"scrub"});
  CHECK(ran.exit == ExitCode::bad_content);
  CHECK_THAT(ran.out, Contains("damaged " + Digest::of(layer).to_string()));
  CHECK_THAT(command({"du"}).out, Contains("Damaged    1 blob"));
}

TEST_CASE_METHOD(NodeTest, "Events are printed from any point on", "[cli]") {
  push_image("app", "1", "layer");
  const auto text = command({"events", "--since", "0", "--no-follow"});
  CHECK(text.exit == ExitCode::ok);
  CHECK_THAT(text.out, Contains("  tag              app:1  sha256:"));
  std::istringstream lines(command({"events", "--since", "1", "--no-follow", "--json"}).out);
  std::string line;
  REQUIRE(std::getline(lines, line));
  CHECK(Json::parse(line)["sequence"] == 2);
  const auto gap = command({"events", "--since", "1000", "--no-follow"});
  CHECK(gap.exit == ExitCode::failed);
  CHECK_THAT(gap.err, Contains("1000"));
}

TEST_CASE_METHOD(NodeTest, "The version is that of the program and of the node", "[cli]") {
  CHECK(command({"version"}).out == "shoal " SHOAL_VERSION "\nnode  " SHOAL_VERSION "\n");
  const auto alone = shoal({"version", "--json"}, {{"SHOAL_NODE", "http://127.0.0.1:1"}});
  CHECK(alone.exit == ExitCode::ok);
  CHECK(Json::parse(alone.out) == Json{{"client", SHOAL_VERSION}});
}

}  // namespace
}  // namespace shoal

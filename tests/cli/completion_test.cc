#include <cstdio>
#include <fstream>

#include "cli/options.h"
#include "tests/cli/node_fixture.h"

namespace shoal {
namespace {

using Catch::Contains;

/// What a shell command prints.
std::string output_of(const std::string& command) {
  FILE* const pipe = popen(command.c_str(), "r");
  REQUIRE(pipe != nullptr);
  std::string text;
  char buffer[4096];
  for (std::size_t count; (count = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;) {
    text.append(buffer, count);
  }
  CHECK(pclose(pipe) == 0);
  return text;
}

/// bash with the completion script loaded.
struct CompletionTest {
  CompletionTest() {
    const auto ran = NodeTest::shoal({"completion", "bash"});
    REQUIRE(ran.exit == ExitCode::ok);
    std::ofstream(script) << ran.out;
  }

  /// The words that are offered for the last of `words`.
  std::string complete(const std::string& words) {
    const std::string program = "source " + script.string() + "; COMP_WORDS=(" + words +
                                "); COMP_CWORD=$((${#COMP_WORDS[@]}-1)); _shoal; "
                                "printf \"%s \" \"${COMPREPLY[@]}\"";
    return output_of("bash -eu -c '" + program + "'");
  }

  TempFolder folder;
  const std::filesystem::path script = folder.path() / "completion";
};

TEST_CASE_METHOD(CompletionTest, "The bash completion offers every command", "[cli]") {
  const std::string offered = complete("shoal \"\"");
  for (const auto* command : {"node", "images", "inspect", "rm", "gc", "scrub", "du", "events",
                              "config", "completion", "version", "transfers", "torrent", "cccf"}) {
    CHECK_THAT(" " + offered, Contains(" " + std::string(command) + " "));
  }
  CHECK(complete("shoal in") == "inspect ");
}

TEST_CASE_METHOD(CompletionTest, "The bash completion offers every flag of the node", "[cli]") {
  const std::string offered = " " + complete("shoal node --");
  for (const Option& option : node_options())
    CHECK_THAT(offered, Contains(" " + option.flag() + " "));
  CHECK_THAT(offered, Contains(" --config ") && Contains(" --help "));
}

TEST_CASE_METHOD(CompletionTest, "The bash completion offers what a flag can be", "[cli]") {
  CHECK(complete("shoal node --log-level \"\"") == "debug info warn error ");
  CHECK(complete("shoal node --registry-deletes t") == "true ");
  CHECK(complete("shoal ls --j") == "--json ");
  CHECK(complete("shoal transfers --w") == "--watch ");
  CHECK(complete("shoal completion z") == "zsh ");
  CHECK(complete("shoal node --data " + folder.path().string().substr(0, 5)) != " ");
}

TEST_CASE_METHOD(CompletionTest, "The bash completion goes on behind a command of commands",
                 "[cli]") {
  CHECK(complete("shoal cccf va") == "validate ");
  CHECK(complete("shoal node l") == "ls label ");
  CHECK(complete("shoal cccf validate --st") == "--strict ");
  CHECK(complete("shoal cccf instructions --verb s") == "start stop ");
  CHECK(complete("shoal node ls --j") == "--json ");
  CHECK_THAT(" " + complete("shoal cccf \"\""),
             Contains(" validate ") && Contains(" from-docker ") && Contains(" random "));
}

TEST_CASE("The zsh completion knows every command and every flag of the node", "[cli]") {
  const auto ran = NodeTest::shoal({"completion", "zsh"});
  CHECK_THAT(ran.out, Catch::StartsWith("#compdef shoal\n"));
  for (const auto* command : {"node", "images", "inspect", "rm", "gc", "scrub", "du", "events",
                              "config", "completion", "version", "transfers", "torrent", "cccf"}) {
    CHECK_THAT(ran.out, Contains("    '" + std::string(command) + ":"));
  }
  for (const Option& option : node_options())
    CHECK_THAT(ran.out, Contains("'" + option.flag() + "["));
  CHECK_THAT(ran.out, Contains("'validate:Say all") && Contains("'--strict["));
}

}  // namespace
}  // namespace shoal

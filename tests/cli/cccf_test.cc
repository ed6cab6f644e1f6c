#include <fstream>
#include <sstream>

#include <catch2/catch.hpp>

#include "cli/command_line.h"
#include "orchestrator/cccf/json_value.h"
#include "tests/storage/fixture.h"

namespace shoal {
namespace {

using Catch::Contains;

struct Ran {
  ExitCode exit;
  std::string out;
  std::string err;
};

/// `shoal cccf ARGUMENTS < in`
Ran cccf(std::vector<std::string> arguments, const std::string& in = {},
         const Environment& environment = {}) {
  std::istringstream input(in);
  std::ostringstream out;
  std::ostringstream err;
  Terminal terminal{out, err, environment, false, false, &input};
  arguments.insert(arguments.begin(), "cccf");
  const ExitCode exit = run_command_line(std::move(arguments), terminal);
  return {exit, out.str(), err.str()};
}

JsonValue json(const std::string& text) {
  auto value = parse_json(text);
  INFO(text);
  REQUIRE(value);
  return *std::move(value);
}

std::string line(const std::string& text) { return to_text(json(text)); }

struct FilesTest {
  std::string file(const std::string& name, const std::string& text) {
    const auto path = folder.path() / name;
    std::ofstream(path) << text;
    return path.string();
  }
  TempFolder folder;
};

constexpr const char* kWeb = R"({"id":"web","image":"acme/web:1","scale":2,"ports":["80:80"]})";

TEST_CASE("A valid document goes through, and all that is wrong with another is said",
          "[cli][cccf]") {
  const auto good = cccf({"validate"}, kWeb);
  CHECK(good.exit == ExitCode::ok);
  CHECK(line(good.out) == kWeb);
  CHECK(good.err.empty());
  const auto bad = cccf({"validate"}, R"([{"id":"a b"}])");
  CHECK(bad.exit == ExitCode::failed);
  CHECK(bad.out.empty());
  CHECK_THAT(bad.err, Contains("error: /0/id: ") && Contains("error: /0/image: "));
}

TEST_CASE("Strict rules, denied checks and JSON are for those who ask", "[cli][cccf]") {
  const std::string bare = R"({"id":"a","image":"i","volumes":["/a"]})";
  CHECK(cccf({"validate"}, bare).exit == ExitCode::ok);
  CHECK(cccf({"validate", "--strict"}, bare).exit == ExitCode::failed);
  CHECK(cccf({"validate", "--deny", "bare-volume"}, bare).exit == ExitCode::failed);
  CHECK(cccf({"validate", "--deny", "port-clash"}, bare).exit == ExitCode::ok);
  CHECK(cccf({"validate", "--deny", "all"}, bare).exit == ExitCode::failed);
  CHECK(cccf({"validate", "--deny", "nothing"}, bare).exit == ExitCode::usage);
  const auto told = cccf({"validate", "--json"}, bare);
  CHECK(told.exit == ExitCode::ok);
  CHECK(*json(told.out).find("valid") == JsonValue(true));
  CHECK(*json(told.out).find("diagnostics")->array()->front().find_text("check") == "bare-volume");
}

TEST_CASE_METHOD(FilesTest, "Files are put together, and named where they are wrong",
                 "[cli][cccf]") {
  const auto a = file("a.yaml", "services:\n  default: {restart: always}\n  a: {image: i}\n");
  const auto b = file("b.json", kWeb);
  CHECK(line(cccf({"validate", a, b}).out) ==
        R"([{"id":"a","image":"i","restart":"always"},)" + std::string(kWeb) + "]");
  const auto c = file("c.json", R"([{"id":"c"}])");
  CHECK_THAT(cccf({"validate", a, c}).err, Contains(c + ": error: /0/image: "));
  const auto none = cccf({"validate", "/nonexistent.json"});
  CHECK(none.exit == ExitCode::usage);
  CHECK_THAT(none.err, Contains("cannot read /nonexistent.json"));
  CHECK(cccf({"validate", file("d.json", "{")}).exit == ExitCode::failed);
}

TEST_CASE("Variables come from the command line and from the environment", "[cli][cccf]") {
  const std::string text = R"({"id":"a","image":"i:${TAG}","cmd":"${X}"})";
  CHECK(line(cccf({"validate", "--var", "TAG=2", "--var", "X"}, text, {{"X", "a=b"}}).out) ==
        R"({"id":"a","image":"i:2","cmd":"a=b"})");
  CHECK_THAT(cccf({"validate", "--var", "X"}, text).err, Contains("X is not in the environment"));
  CHECK(cccf({"validate", "--var", "a-b=1"}, text).exit == ExitCode::usage);
  const auto open = cccf({"instructions"}, text);
  CHECK(open.exit == ExitCode::failed);
  CHECK_THAT(open.err, Contains("error: /image: ${TAG}") && Contains("error: /cmd: ${X}"));
  CHECK(open.out.empty());
}

TEST_CASE_METHOD(FilesTest, "The filters make a pipe", "[cli][cccf]") {
  const auto now = file("now.json", R"([{"id":"web","image":"acme/web:1","ports":["80:80"]},)"
                                    R"({"id":"old","image":"i"}])");
  const auto scaled = cccf({"scale"}, kWeb);
  CHECK(line(cccf({"unscale"}, scaled.out).out) == "[" + std::string(kWeb) + "]");
  const auto difference = cccf({"diff", "--current", now}, scaled.out);
  CHECK(difference.exit == ExitCode::ok);
  CHECK(cccf({"instructions", "--print"}, difference.out).out ==
        "docker stop old\ndocker rm old\n"
        "docker run -d -p=80:80 --name=web-scale-1 acme/web:1\n");
  CHECK(cccf({"instructions", "--verb", "stop"}, difference.out).exit == ExitCode::usage);
  CHECK_THAT(
      cccf({"diff", "--explain", "--current", now}, scaled.out).out,
      Contains("keep    web\n") && Contains("remove  old\n") && Contains("add     web-scale-1\n"));
}

TEST_CASE("Instructions are argument vectors, or lines for a shell", "[cli][cccf]") {
  const auto ran =
      cccf({"instructions", "--verb", "kill"}, R"({"id":"a","image":"i","host":"h:1"})");
  CHECK(line(ran.out) ==
        R"([{"id":"a","verb":"kill","host":"h:1","argv":["docker","-H=h:1","kill","a"]}])");
  CHECK(cccf({"instructions", "--print", "--no-detach", "--exclude", "x", "--flag", "env=A=b c"},
             R"({"id":"a","image":"i","x":{}})")
            .out == "docker run '--env=A=b c' --name=a i\n");
  CHECK(cccf({"instructions", "--verb", "fly"}, "[]").exit == ExitCode::usage);
}

TEST_CASE("Docker's inspection becomes a document", "[cli][cccf]") {
  const std::string inspected =
      R"([{"Name":"/a","Image":"x","Config":{"Image":"i:1"},"HostConfig":{}}])";
  const auto ran = cccf({"from-docker", "--host", "h:1"}, inspected);
  CHECK(ran.exit == ExitCode::ok);
  CHECK(line(ran.out) == R"([{"id":"a","image":"i:1","host":"h:1"}])");
  CHECK_THAT(ran.err, Contains("warning: /0: the image i:1 of a was not inspected"));
  CHECK(cccf({"from-docker"}, "{}").exit == ExitCode::failed);
  CHECK(cccf({"from-docker", "--engine", "tcp://h:1"}).exit == ExitCode::usage);
  CHECK(cccf({"from-docker", "--engine", "unix:///nonexistent.sock"}).exit ==
        ExitCode::unreachable);
}

TEST_CASE("A random document is the same for the same seed", "[cli][cccf]") {
  const auto one = cccf({"random", "3", "--seed", "7"});
  CHECK(one.exit == ExitCode::ok);
  CHECK(cccf({"random", "3", "--seed", "7"}).out == one.out);
  CHECK(cccf({"validate", "--strict"}, one.out).exit == ExitCode::ok);
  CHECK(
      *json(cccf({"random", "--plain", "--merge", R"({"x":1})"}).out).array()->front().find("x") ==
      JsonValue::of(1));
  CHECK(cccf({"random", "--merge", "5"}).exit == ExitCode::usage);
  CHECK(cccf({"random", "20000"}).exit == ExitCode::usage);
}

TEST_CASE("Without standard input a filter says so", "[cli][cccf]") {
  std::ostringstream out;
  std::ostringstream err;
  Terminal terminal{out, err, {}};
  CHECK(run_command_line({"cccf", "scale"}, terminal) == ExitCode::usage);
  CHECK_THAT(err.str(), Contains("no standard input"));
}

}  // namespace
}  // namespace shoal

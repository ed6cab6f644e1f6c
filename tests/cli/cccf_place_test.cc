#include <algorithm>
#include <fstream>
#include <sstream>

#include <catch2/catch.hpp>

#include "cli/command_line.h"
#include "orchestrator/cccf/json_value.h"
#include "storage/digest.h"
#include "tests/storage/fixture.h"

namespace shoal {
namespace {

using Catch::Contains;

constexpr const char* kWeb =
    R"({"id":"web","image":"acme/web:1","scale":3,"memory":"100MB","other":{"kept":[1.50]}})";

struct Ran {
  ExitCode exit;
  std::string out;
  std::string err;
};

struct PlaceTest {
  PlaceTest() {
    file("nodes.json", R"({"nodes":[
        {"hostname":"a","address":"tcp://10.0.0.1:4243","memory":"200MB","labels":{"dc":"west"}},
        {"hostname":"b","memory":"1GB","labels":{"dc":"east"}},
        {"hostname":"c","state":"dead"}]})");
  }

  std::string file(const std::string& name, const std::string& text) {
    const auto path = folder.path() / name;
    std::ofstream(path) << text;
    return path.string();
  }

  /// `shoal cccf place --nodes nodes.json MORE < in`
  Ran place(std::vector<std::string> more, const std::string& in = kWeb) {
    std::istringstream input(in);
    std::ostringstream out;
    std::ostringstream err;
    Terminal terminal{out, err, {}, false, false, &input};
    std::vector<std::string> arguments = {"cccf", "place", "--nodes",
                                          (folder.path() / "nodes.json").string()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const ExitCode exit = run_command_line(std::move(arguments), terminal);
    return {exit, out.str(), err.str()};
  }

  TempFolder folder;
};

std::vector<std::string> hosts_in(const std::string& text) {
  const auto json = parse_json(text);
  INFO(text);
  REQUIRE(json);
  REQUIRE(json->array() != nullptr);
  std::vector<std::string> hosts;
  for (const auto& item : *json->array()) hosts.push_back(*item.find_text("host"));
  return hosts;
}

TEST_CASE_METHOD(PlaceTest, "A document comes out scaled, with a host for each container",
                 "[cli][cccf]") {
  const auto ran = place({});
  CHECK(ran.exit == ExitCode::ok);
  CHECK(ran.err.empty());
  auto hosts = hosts_in(ran.out);
  REQUIRE(hosts.size() == 3);
  std::sort(hosts.begin(), hosts.end());
  CHECK(std::count(hosts.begin(), hosts.end(), "b") >= 1);
  CHECK(std::count(hosts.begin(), hosts.end(), "tcp://10.0.0.1:4243") >= 1);
  CHECK_THAT(ran.out, Contains("web-scale-2") && Contains("1.50"));
}

TEST_CASE_METHOD(PlaceTest, "Placing what was placed changes nothing", "[cli][cccf]") {
  const auto first = place({});
  const auto second = place({"--explain"}, first.out);
  CHECK(second.out == first.out);
  CHECK_THAT(second.err, Contains("web-scale-1 stays on"));
  const auto third = place({"--current", file("now.json", first.out), "--explain"});
  CHECK(hosts_in(third.out) == hosts_in(first.out));
  CHECK_THAT(third.err, Contains("web-scale-2 stays on"));
}

TEST_CASE_METHOD(PlaceTest, "Explained, a decision names keys, the second and those refused",
                 "[cli][cccf]") {
  const auto layer = Digest::of("layer").to_string();
  const auto images = file("images.json", R"({"acme/web:1":{"layers":[{"digest":")" + layer +
                                              R"(","size":"100MiB"}]}})");
  const auto ran = place({"--explain", "--images", images});
  CHECK(ran.exit == ExitCode::ok);
  CHECK_THAT(ran.err, Contains("web goes to ") && Contains("100.0 MiB from upstream"));
  CHECK_THAT(ran.err, Contains("  before ") && Contains(" against "));
  CHECK_THAT(ran.err, Contains("seconds until ready 12.50"));
  CHECK_THAT(ran.err, Contains("  not c (alive): it is not alive"));
}

TEST_CASE_METHOD(PlaceTest, "If one container finds no host, nothing is written", "[cli][cccf]") {
  const auto ran = place({}, R"([{"id":"small","image":"i"},
      {"id":"large","image":"i","memory":"2GB","constraints":["dc==west"]}])");
  CHECK(ran.exit == ExitCode::failed);
  CHECK(ran.out.empty());
  CHECK_THAT(ran.err, Contains("large cannot be placed: of 3 hosts, 1 refused by alive"));
  CHECK_THAT(ran.err, Contains("against constraint:dc==west") && Contains("2048.0 MiB asked for"));
  CHECK_THAT(ran.err, !Contains("small"));
}

TEST_CASE_METHOD(PlaceTest, "The strategy and its seed are for those who ask", "[cli][cccf]") {
  const auto hosts = [&](std::vector<std::string> more) { return hosts_in(place(more).out); };
  CHECK(hosts({"--strategy", "round-robin"}) ==
        std::vector<std::string>{"tcp://10.0.0.1:4243", "b", "tcp://10.0.0.1:4243"});
  CHECK(hosts({"--strategy", "binpack"})[0] == hosts({"--strategy", "binpack"})[1]);
  CHECK(hosts({"--strategy", "random", "--seed", "7"}) ==
        hosts({"--strategy", "random", "--seed", "7"}));
  const auto ran = place({"--strategy", "best"});
  CHECK(ran.exit == ExitCode::usage);
  CHECK_THAT(ran.err, Contains("there are: layers, pack"));
}

TEST_CASE_METHOD(PlaceTest, "What is wrong is named with its file and place", "[cli][cccf]") {
  CHECK(place({}, R"({"id":"web"})").exit == ExitCode::failed);
  const auto expression = place({}, R"({"id":"web","image":"i","constraints":["dc=west"]})");
  CHECK(expression.exit == ExitCode::failed);
  CHECK_THAT(expression.err, Contains("/constraints") && Contains("== or !="));
  file("nodes.json", R"({"nodes":[{"hostname":"a","memory":"much"}]})");
  const auto ran = place({});
  CHECK(ran.exit == ExitCode::usage);
  CHECK_THAT(ran.err, Contains("nodes.json: /nodes/0/memory"));
}

}  // namespace
}  // namespace shoal

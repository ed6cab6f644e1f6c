#include "orchestrator/state/state_url.h"

#include <fstream>

#include <catch2/catch.hpp>

#include "tests/storage/fixture.h"

namespace shoal {
namespace {

TEST_CASE("The place of a state is read as people write it", "[orchestrator][state][url]") {
  CHECK(parse_state_url("embedded")->embedded);
  const auto plain = parse_state_url("etcd://h1:2379,10.0.0.2,[::1]:4,[fe80::1]");
  REQUIRE(plain);
  CHECK_FALSE(plain->embedded);
  CHECK_FALSE(plain->tls);
  CHECK(plain->hosts ==
        std::vector<std::string>{"h1:2379", "10.0.0.2:2379", "[::1]:4", "[fe80::1]:2379"});
  CHECK(plain->prefix == "shoal/v1/");
  CHECK(parse_state_url("etcd://h/")->prefix == "shoal/v1/");
  const auto secure = parse_state_url("etcds://h1/team-a/shoal");
  REQUIRE(secure);
  CHECK(secure->tls);
  CHECK(secure->prefix == "team-a/shoal/");
}

TEST_CASE("The place of a state is written as it is read", "[orchestrator][state][url]") {
  const std::string text =
      GENERATE("embedded", "etcd://h1:2379,h2:2380", "etcds://[::1]:2379/team-a/shoal");
  CHECK(parse_state_url(text)->text() == text);
}

TEST_CASE("A place that cannot be one is refused and shown", "[orchestrator][state][url]") {
  const std::string text =
      GENERATE("", "Embedded", "etcd", "etcd:/h", "etcd://", "etcd://h1,,h2", "etcd://h1,",
               "h1:2379", "etcd://h:0", "etcd://h:70000", "etcd://h:x", "etcd://:2379",
               "etcd://::1", "etcd://[]:1", "http://h:2379", "etcd://h//a", "etcd://h/a b",
               "etcd://h/a//b", "etcd://h?x=1", "etcd://h,h:2379", "consul://h");
  CAPTURE(text);
  const auto url = parse_state_url(text);
  REQUIRE_FALSE(url);
  CHECK(url.error().code == Errc::usage);
  CHECK_THAT(url.error().message, Catch::Contains("`" + text + "`"));
  CHECK_THAT(url.error().message, Catch::Contains("etcd://10.0.0.1:2379"));
}

TEST_CASE("A password in the place of a state is refused and not repeated",
          "[orchestrator][state][url]") {
  const auto url = parse_state_url("etcd://node:s3cret@h:2379");
  REQUIRE_FALSE(url);
  CHECK_THAT(url.error().message, Catch::Contains("state-password-file"));
  CHECK_THAT(url.error().message, !Catch::Contains("s3cret"));
}

TEST_CASE("The settings of an etcd are its URL and files", "[orchestrator][state][url]") {
  TempFolder folder;
  const auto path = folder.path() / "password";
  std::ofstream(path) << "s3cret\nmore\n";
  StateFiles files;
  files.user = "node";
  files.password_file = path;
  const auto config = etcd_config(*parse_state_url("etcd://h1,h2:1/p"), files);
  REQUIRE(config);
  CHECK(config->endpoints == std::vector<std::string>{"http://h1:2379", "http://h2:1"});
  CHECK(config->prefix == "p/");
  CHECK(config->user == "node");
  CHECK(config->password == "s3cret");
  CHECK(config->tls == nullptr);

  const auto refused = [](const std::string& url, const StateFiles& its_files) {
    const auto result = etcd_config(*parse_state_url(url), its_files);
    return result ? std::string() : result.error().message;
  };
  files.ca = path;
  CHECK_THAT(refused("etcd://h", files), Catch::Contains("etcds://"));
  CHECK_THAT(refused("etcds://h", files), Catch::Contains("state-ca"));
  files.ca = folder.path() / "none";
  CHECK_THAT(refused("etcds://h", files), Catch::Contains("cannot read " + files.ca.string()));
  files.ca.clear();
  files.certificate = path;
  CHECK_THAT(refused("etcds://h", files), Catch::Contains("belong together"));
  files.certificate.clear();
  files.password_file.clear();
  CHECK_THAT(refused("etcd://h", files), Catch::Contains("belong together"));
  std::ofstream(path, std::ios::trunc) << "\n";
  files.password_file = path;
  CHECK_THAT(refused("etcd://h", files), Catch::Contains("is empty"));
  CHECK_FALSE(refused("embedded", {}).empty());
}

}  // namespace
}  // namespace shoal

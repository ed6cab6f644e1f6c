#include "orchestrator/membership/member.h"

#include <catch2/catch.hpp>

namespace shoal {
namespace {

Member sample() {
  Member member;
  member.id = "n-abcdefghij";
  member.urls = {"https://10.0.0.7:5001", "https://[fd00::7]:5001"};
  member.labels = {{"dc", "west"}, {"ssd", ""}};
  member.capacity = {1'000'000'000'000, 64'000'000'000, 32};
  member.engine = Engine{"docker", "20.10.24", "1.41"};
  member.version = "0.1.0";
  member.joined = UnixTime(std::chrono::seconds(1'700'000'000));
  member.authority = true;
  return member;
}

TEST_CASE("A member record reads back as what it was", "[orchestrator][membership]") {
  const auto parsed = parse_member(to_json(sample()));
  REQUIRE(parsed);
  CHECK(*parsed == sample());
  const auto bare = parse_member(to_json(Member{}));
  REQUIRE(bare);
  CHECK(*bare == Member{});
}

TEST_CASE("A member record of a later version is read as far as it is known",
          "[orchestrator][membership]") {
  const auto parsed = parse_member(
      R"({"id":"n-a","flies":true,"capacity":{"cores":4,"wings":[1,2]},"urls":["https://h:1"]})");
  REQUIRE(parsed);
  CHECK(parsed->id == "n-a");
  CHECK(parsed->capacity.cores == 4);
  CHECK(parsed->urls == std::vector<std::string>{"https://h:1"});
}

TEST_CASE("A member record that lies about its types is refused, by name of the field",
          "[orchestrator][membership]") {
  const auto refused = [](const std::string& text, const std::string& field) {
    CAPTURE(text);
    const auto parsed = parse_member(text);
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error().code == Errc::bad_request);
    CHECK_THAT(parsed.error().message, Catch::Contains(field));
  };
  refused("", "object");
  refused("[]", "object");
  refused(R"({"id":7})", "id");
  refused(R"({"id":"\u001b[31m"})", "id");
  refused(R"({"urls":"https://h:1"})", "urls");
  refused(R"({"urls":["http://h:1"]})", "urls");
  refused(R"({"urls":["https://h:1/\r\nX: y"]})", "urls");
  refused(R"({"urls":["https://"]})", "urls");
  refused(R"({"labels":{"dc":1}})", "labels");
  refused(R"({"labels":{"d c":"west"}})", "label");
  refused(R"({"capacity":{"disk_bytes":-1}})", "disk_bytes");
  refused(R"({"capacity":3})", "capacity");
  refused(R"({"engine":{"kind":1}})", "kind");
  refused(R"({"joined":"yesterday"})", "joined");
  refused(R"({"holds_state":"yes"})", "holds_state");
  std::string many = R"({"urls":["https://h:1")";
  for (std::size_t i = 0; i < kMemberUrlsMax; ++i) many += R"(,"https://h:1")";
  refused(many + "]}", "urls");
}

TEST_CASE("A label is written as key=value of plain letters", "[orchestrator][membership]") {
  const auto label = parse_label("dc=west");
  REQUIRE(label);
  CHECK(label->first == "dc");
  CHECK(label->second == "west");
  CHECK(parse_label("ssd=")->second.empty());
  for (const auto* const bad : {"dc", "=west", "d c=west", "dc=we=st", "dc=\n"}) {
    CHECK(parse_label(bad).error().code == Errc::usage);
  }
  CHECK_FALSE(parse_label(std::string(64, 'k') + "=v"));
}

}  // namespace
}  // namespace shoal

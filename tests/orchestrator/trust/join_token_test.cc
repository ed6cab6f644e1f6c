#include "orchestrator/trust/join_token.h"

#include <catch2/catch.hpp>

namespace shoal {
namespace {

const std::string kAuthority = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

TEST_CASE("A join token is one word and reads back as what it was", "[orchestrator][trust]") {
  for (int i = 0; i < 100; ++i) {
    const auto token = JoinToken::make(kAuthority);
    REQUIRE(token);
    CHECK(token->secret.size() == 16);
    CHECK(token->id.size() == 16);
    const auto text = token->text();
    CHECK(text.size() == 87);
    CHECK(text.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "0123456789.-_") == text.npos);
    const auto parsed = JoinToken::parse(text);
    REQUIRE(parsed);
    CHECK(*parsed == *token);
  }
}

TEST_CASE("No two join tokens are alike", "[orchestrator][trust]") {
  const auto a = *JoinToken::make(kAuthority);
  const auto b = *JoinToken::make(kAuthority);
  CHECK(a.id != b.id);
  CHECK(a.secret != b.secret);
}

TEST_CASE("A text that is no whole join token is refused with what is wrong",
          "[orchestrator][trust]") {
  const auto text = JoinToken::make(kAuthority)->text();
  const auto error = [](const std::string& bad) {
    const auto parsed = JoinToken::parse(bad);
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error().code == Errc::usage);
    // The secret is not repeated in a message.
    CHECK((bad.size() < 20 || parsed.error().message.find(bad.substr(10)) == std::string::npos));
    return parsed.error().message;
  };
  CHECK_THAT(error(""), Catch::Contains("not a join token"));
  CHECK_THAT(error("K10abcdef::server:secret"), Catch::Contains("not a join token"));
  CHECK_THAT(error("shoal2" + text.substr(6)), Catch::Contains("another version"));
  CHECK_THAT(error(text.substr(0, 60)), Catch::Contains("not whole"));
  CHECK_THAT(error(text + "A"), Catch::Contains("not whole"));
  CHECK_THAT(error(text + "\n"), Catch::Contains("not whole"));
  for (std::size_t at = 7; at < text.size(); ++at) {
    auto changed = text;
    changed[at] = changed[at] == 'A' ? 'B' : 'A';
    CHECK_THAT(error(changed), Catch::Contains("changed on its way"));
    changed[at] = '/';
    CHECK_THAT(error(changed), Catch::Contains("letter"));
  }
}

}  // namespace
}  // namespace shoal

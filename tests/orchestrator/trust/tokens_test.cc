#include "orchestrator/trust/tokens.h"

#include <atomic>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>

#include "orchestrator/keys.h"
#include "tests/orchestrator/trust/cluster.h"

namespace shoal {
namespace {

using std::chrono_literals::operator""h;
using std::chrono_literals::operator""s;

const std::string kAuthority(64, 'a');

Tokens::Joiner joiner(const std::string& id, const std::string& key = "key") { return {id, key}; }

TEST_CASE("A join token is good for its uses and no more", "[orchestrator][trust]") {
  const TestState test;
  Tokens tokens(*test.state, kAuthority);
  const auto created = tokens.create(1h, 2);
  REQUIRE(created);
  CHECK(tokens.redeem(created->token, joiner("n-a"), {}, {{"joined/a", "yes", 0}}));
  CHECK(tokens.redeem(created->token, joiner("n-b"), {}, {}));
  const auto third = tokens.redeem(created->token, joiner("n-c"), {}, {{"joined/c", "yes", 0}});
  REQUIRE_FALSE(third);
  CHECK(third.error().code == Errc::denied);
  CHECK_THAT(third.error().message, Catch::Contains("used up"));
  CHECK(*test.state->get("joined/a"));
  CHECK_FALSE(*test.state->get("joined/c"));
}

TEST_CASE("A node whose answer was lost joins again without another use", "[orchestrator][trust]") {
  const TestState test;
  Tokens tokens(*test.state, kAuthority);
  const auto token = tokens.create(1h, 1)->token;
  REQUIRE(tokens.redeem(token, joiner("n-a", "key-1"), {Condition::absent("node")},
                        {{"node", "a", 0}}));
  CHECK(tokens.redeem(token, joiner("n-a", "key-1"), {Condition::absent("node")},
                      {{"node", "a", 0}}));
  const auto thief = tokens.redeem(token, joiner("n-a", "key-2"), {}, {});
  REQUIRE_FALSE(thief);
  CHECK(thief.error().code == Errc::conflict);
}

TEST_CASE("An expired join token is refused as such, and forgotten a day later",
          "[orchestrator][trust]") {
  const TestState test;
  ManualClock clock;
  Tokens tokens(*test.state, kAuthority, clock);
  const auto token = tokens.create(60s, 5)->token;
  clock.advance(59s);
  CHECK(tokens.redeem(token, joiner("n-a"), {}, {}));
  clock.advance(1s);
  const auto late = tokens.redeem(token, joiner("n-b"), {}, {});
  REQUIRE_FALSE(late);
  CHECK(late.error().code == Errc::denied);
  CHECK_THAT(late.error().message, Catch::Contains("expired"));

  REQUIRE(tokens.create(60s, 1));
  CHECK(*test.state->get(state_keys::token(token.id)));
  clock.advance(24h);
  REQUIRE(tokens.create(60s, 1));
  CHECK_FALSE(*test.state->get(state_keys::token(token.id)));
  CHECK_THAT(tokens.redeem(token, joiner("n-b"), {}, {}).error().message,
             Catch::Contains("unknown"));
}

TEST_CASE("An unknown, a forged and a foreign join token are each refused as what they are",
          "[orchestrator][trust]") {
  const TestState test;
  Tokens tokens(*test.state, kAuthority);
  const auto token = tokens.create(1h, 1)->token;
  const auto refused = [&](const JoinToken& bad) {
    const auto redeemed = tokens.redeem(bad, joiner("n-a"), {}, {});
    REQUIRE_FALSE(redeemed);
    CHECK(redeemed.error().code == Errc::denied);
    return redeemed.error().message;
  };
  CHECK_THAT(refused(*JoinToken::make(kAuthority)), Catch::Contains("unknown"));
  auto forged = token;
  forged.secret.back() = static_cast<char>(forged.secret.back() ^ 1);
  CHECK_THAT(refused(forged), Catch::Contains("forged"));
  CHECK_THAT(refused(*JoinToken::make(std::string(64, 'b'))), Catch::Contains("another cluster"));
  CHECK(tokens.redeem(token, joiner("n-a"), {}, {}));
}

TEST_CASE("The secret of a join token is not in the state", "[orchestrator][trust]") {
  const TestState test;
  Tokens tokens(*test.state, kAuthority);
  const auto token = tokens.create(1h, 1)->token;
  const auto entry = *test.state->get(state_keys::token(token.id));
  REQUIRE(entry);
  CHECK(entry->value.find(token.secret) == std::string::npos);
  CHECK(entry->value.find(token.text().substr(60)) == std::string::npos);
}

TEST_CASE("A use is taken together with what is written for it, or not at all",
          "[orchestrator][trust]") {
  const TestState test;
  Tokens tokens(*test.state, kAuthority);
  const auto token = tokens.create(1h, 1)->token;
  REQUIRE(test.state->commit({{}, {{"node", "taken", 0}}}));
  const auto refused =
      tokens.redeem(token, joiner("n-a"), {Condition::absent("node")}, {{"node", "mine", 0}});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::conflict);
  CHECK(tokens.redeem(token, joiner("n-b"), {}, {}));
}

TEST_CASE("Of many nodes that join at once, exactly as many come in as the token has uses",
          "[orchestrator][trust]") {
  const TestState test;
  Tokens tokens(*test.state, kAuthority);
  const auto token = tokens.create(1h, 5)->token;
  std::atomic<int> joined = 0;
  std::atomic<int> used_up = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 16; ++i) {
    threads.emplace_back([&, i] {
      const auto done = tokens.redeem(token, joiner("n-" + std::to_string(i)), {}, {});
      if (done) ++joined;
      if (!done && done.error().code == Errc::denied) ++used_up;
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(joined == 5);
  CHECK(used_up == 11);
}

TEST_CASE("A token's life and uses have limits", "[orchestrator][trust]") {
  const TestState test;
  Tokens tokens(*test.state, kAuthority);
  CHECK(tokens.create(0s, 1).error().code == Errc::bad_request);
  CHECK(tokens.create(kTokenTtlMax + 1s, 1).error().code == Errc::bad_request);
  CHECK(tokens.create(1h, 0).error().code == Errc::bad_request);
  CHECK(tokens.create(1h, kTokenUsesMax + 1).error().code == Errc::bad_request);
  CHECK(tokens.create(kTokenTtlMax, kTokenUsesMax));
}

}  // namespace
}  // namespace shoal

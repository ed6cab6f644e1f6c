#include "orchestrator/placement/expression.h"

#include <array>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

namespace shoal {
namespace {

Expression must(std::string_view text) {
  auto expression = Expression::parse(text);
  INFO(text);
  REQUIRE(expression);
  return *std::move(expression);
}

bool is_refused(std::string_view text) {
  const auto expression = Expression::parse(text);
  return !expression && expression.error().code == Errc::usage;
}

// What classic Swarm's own tests say of the language (scheduler/filter/expr_test.go).

TEST_CASE("Keys are those that classic Swarm takes", "[expression]") {
  for (const auto* text : {"constraint:1node==n", "constraint:node ==n", "constraint:no*de==n",
                           "constraint:no$de==n", "constraint:n==x", "constraint:==x",
                           "constraint:a!=b==c", "constraint:-a==x", "constraint:.a==x"}) {
    CAPTURE(text);
    CHECK(is_refused(text));
  }
  for (const auto* key : {"NoDe", "no.de", "_node", "a1", "com.docker.swarm-x", "__"}) {
    CAPTURE(key);
    CHECK(must(std::string("constraint:") + key + "==node1").key() == key);
  }
}

TEST_CASE("Values are those that classic Swarm takes", "[expression]") {
  for (const auto* value : {"node1", "*node*", "/(?i)^[a-b]+c*(n|b)$/", "node 1", "a:b-c_d.e/f",
                            "=x", "!x", "/", "/~a/", "a\tb"}) {
    CAPTURE(value);
    const auto expression = must(std::string("constraint:node==") + value);
    CHECK(expression.value() == value);
    CHECK_FALSE(expression.soft());
  }
  for (const auto* value : {"", "~", "~~a", "a~", "ima~ge-0:tag3", "us~", "a,b", "a{2}", "a@b",
                            "a\"b", "==x", "=", "/~", "\xc3\xa9"}) {
    CAPTURE(value);
    CHECK(is_refused(std::string("constraint:node==") + value));
  }
}

TEST_CASE("The operators are == and != only", "[expression]") {
  CHECK_FALSE(must("constraint:dc==b").negated());
  CHECK(must("constraint:dc!=b").negated());
  for (const auto* text : {"constraint:dc=b", "constraint:dc=!b", "affinity:image=image-0:tag3",
                           "constraint:dc", "constraint:dc<>b", "constraint:"}) {
    CAPTURE(text);
    CHECK(is_refused(text));
  }
}

TEST_CASE("A tilde in front of the value makes an expression soft", "[expression]") {
  for (const auto* text : {"constraint:dc==~b", "affinity:container!=~web*",
                           "affinity:image==~/image-\\d*/", "whitelist:node==~a|b"}) {
    CAPTURE(text);
    const auto expression = must(text);
    CHECK(expression.soft());
    CHECK(expression.value().front() != '~');
    CHECK(expression.text() == text);
  }
  CHECK_FALSE(must("constraint:dc===~b").soft());
}

TEST_CASE("An expression says what it speaks of", "[expression]") {
  CHECK(must("constraint:dc==b").kind() == ExpressionKind::constraint);
  CHECK(must("affinity:dc==b").kind() == ExpressionKind::affinity);
  CHECK(must("whitelist:node==b").kind() == ExpressionKind::whitelist);
  for (const auto* text : {"dc==b", "Constraint:dc==b", "reschedule:on-node-failure", ""}) {
    CAPTURE(text);
    CHECK(is_refused(text));
    CHECK_FALSE(Expression::is_expression(text));
  }
}

TEST_CASE("A value fits a text as in classic Swarm", "[expression]") {
  struct Case {
    const char* value;
    const char* text;
    bool fits;
  };
  const auto sample = GENERATE(values<Case>({
      {"foo", "foo", true},
      {"foo", "bar", false},
      {"foo", "foobar", false},
      {"f*o", "foo", true},
      {"f*o", "fo", true},
      {"f*o", "fuo", true},
      {"f*o", "foox", false},
      {"us*", "us-east", true},
      {"*us*", "the us of a", true},
      {"**", "", true},
      {"*a*b*", "xxaxxbxx", true},
      {"*a*b*", "xxbxxaxx", false},
      {"/node\\d/", "node1", true},
      {"/node\\d/", "my-node12", true},
      {"/node[12]/", "node0", false},
      {"/^node$/", "node0", false},
      {"/abcdef/", "aBcDeF", false},
      {"/(?i)abcdef/", "aBcDeF", true},
      {"/^(a|b)+$/", "abba", true},
      {"//", "anything", true},
      // Here, and not there, these stand for themselves.
      {"app:1.2", "app:1x2", false},
      {"a|b", "a", false},
      {"a|b", "a|b", true},
      {"a+", "aa", false},
      {"/", "/", true},
      {"/", "a/b", false},
  }));
  CAPTURE(sample.value, sample.text);
  const auto expression = must(std::string("constraint:key==") + sample.value);
  CHECK(expression.fits(sample.text) == sample.fits);
  CHECK(must(std::string("constraint:key!=") + sample.value).holds(sample.text) != sample.fits);
}

TEST_CASE("Of several texts one must fit, and with != none may", "[expression]") {
  const std::array<std::string_view, 2> texts = {"bar", "foo"};
  const std::array<std::string_view, 1> other = {"bar"};
  CHECK(must("affinity:container==foo").holds(texts));
  CHECK_FALSE(must("affinity:container==foo").holds(other));
  CHECK_FALSE(must("affinity:container!=foo").holds(texts));
  CHECK(must("affinity:container!=foo").holds(other));
  CHECK_FALSE(must("affinity:container==*").holds(std::span<const std::string_view>()));
  CHECK(must("affinity:container!=*").holds(std::span<const std::string_view>()));
}

TEST_CASE("A whitelist's value is names with bars between them", "[expression]") {
  const auto expression = must("whitelist:node==n1|n2*|/n3/");
  for (const auto* name : {"n1", "n2*", "/n3/"}) CHECK(expression.fits(name));
  for (const auto* name : {"n", "n2", "n3", "n1|n2*", ""}) CHECK_FALSE(expression.fits(name));
}

TEST_CASE("A regular expression that is none is refused with the reason", "[expression]") {
  const auto refused = Expression::parse("constraint:name!=/(abc/");
  REQUIRE_FALSE(refused);
  CHECK_THAT(refused.error().message, Catch::Contains("constraint:name!=/(abc/"));
  CHECK_THAT(refused.error().message, Catch::Contains("missing )"));
}

TEST_CASE("A regular expression that makes others backtrack takes no longer than it is read",
          "[expression]") {
  // With backtracking these are 2^500 steps.
  const std::string text(500, 'a');
  CHECK_FALSE(must("constraint:name==/^(a+)+$/").fits(text + "b"));
  CHECK_FALSE(must("constraint:name==/^(a*)*b$/").fits(text));
}

TEST_CASE("An expression that is too long is refused", "[expression]") {
  CHECK(is_refused("constraint:dc==" + std::string(Expression::kBytesMax, 'a')));
}

}  // namespace
}  // namespace shoal

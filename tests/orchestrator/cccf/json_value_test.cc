#include "orchestrator/cccf/json_value.h"

#include "tests/orchestrator/cccf/documents.h"

namespace shoal {
namespace {

TEST_CASE("JSON is given back as it was, order and numbers included", "[cccf]") {
  const std::string text =
      GENERATE(R"({"z":1,"a":[1e3,1.0,-0.50,123456789012345678901234567890],"m":{"k":null}})",
               R"([true,false,"\u0000\"\\",{}])", "[]", "{}", R"("text")", "-12", "null");
  const JsonValue value = json_of(text);
  CHECK(to_text(value) == text);
  CHECK(json_of(to_pretty_text(value)) == value);
}

TEST_CASE("What is no JSON is refused with its place", "[cccf]") {
  const auto [text, where] = GENERATE(table<std::string, std::string>({
      {"{\"a\":1,\n\"b\":}", "line 2, column 5"},
      {"[1,2", "line 1"},
      {"[] []", "line 1, column 4"},
      {"{'a':1}", "line 1, column 2"},
      {"\"\xff\"", "UTF-8"},
      {std::string(101, '[') + std::string(101, ']'), "100 deep"},
  }));
  CAPTURE(text);
  const auto value = parse_json(text);
  REQUIRE_FALSE(value);
  CHECK(value.error().code == Errc::bad_request);
  CHECK_THAT(value.error().message, Catch::Contains(where));
}

TEST_CASE("Of a name that an object has twice the last value counts, in the first place",
          "[cccf]") {
  CHECK(to_text(json_of(R"({"a":1,"b":2,"a":3})")) == R"({"a":3,"b":2})");
}

TEST_CASE("A whole number is whole however it is written", "[cccf]") {
  CHECK(json_of("3").whole() == 3);
  CHECK(json_of("3.0").whole() == 3);
  CHECK(json_of("30e-1").whole() == 3);
  CHECK(json_of("9007199254740992").whole() == 9007199254740992);
  for (const auto* const other : {"2.5", "-1", "\"3\"", "9007199254740993e1", "null", "true"}) {
    CAPTURE(other);
    CHECK_FALSE(json_of(other).whole());
  }
}

TEST_CASE("A pointer's part escapes what RFC 6901 wants escaped", "[cccf]") {
  CHECK(pointer_part("a/b~c") == "/a~1b~0c");
}

TEST_CASE("A field is set in its place and taken away", "[cccf]") {
  JsonValue value = json_of(R"({"a":1,"b":2})");
  value.set("a", "x");
  value.set("c", true);
  value.erase("b");
  CHECK(to_text(value) == R"({"a":"x","c":true})");
  CHECK(value.find("b") == nullptr);
  CHECK(*value.find_text("a") == "x");
}

}  // namespace
}  // namespace shoal

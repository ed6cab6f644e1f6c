#include "orchestrator/state/etcd_json.h"

#include <random>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace shoal {
namespace {

TEST_CASE("Base64 is that of RFC 4648, padded, and has one spelling for each value",
          "[orchestrator][state]") {
  const std::pair<std::string, std::string> vectors[] = {{"", ""},
                                                         {"f", "Zg=="},
                                                         {"fo", "Zm8="},
                                                         {"foo", "Zm9v"},
                                                         {"foob", "Zm9vYg=="},
                                                         {"fooba", "Zm9vYmE="},
                                                         {"foobar", "Zm9vYmFy"},
                                                         {"\xff\xfe", "//4="},
                                                         {"\xfb", "+w=="},
                                                         {std::string(1, '\0'), "AA=="}};
  for (const auto& [bytes, text] : vectors) {
    CHECK(base64(bytes) == text);
    CHECK(from_base64(text) == bytes);
  }
  for (const char* text : {"Z", "Zg", "Zg=", "Zg===", "=", "====", "Zm9v====", "Zh==", "Zm9=",
                           "_-4=", "Zm 9", "Zm9v\n", "Z=9v", "Zg==Zg==", "\xff\xff\xff\xff"}) {
    CAPTURE(text);
    CHECK_FALSE(from_base64(text));
  }
  std::mt19937_64 random(1);
  for (std::size_t size = 0; size < 200; ++size) {
    std::string bytes(size, '\0');
    for (auto& byte : bytes) byte = static_cast<char>(random());
    CHECK(from_base64(base64(bytes)) == bytes);
  }
}

TEST_CASE("The end of a prefix is the first key behind it", "[orchestrator][state]") {
  CHECK(range_end("a") == "b");
  CHECK(range_end("a/") == "a0");
  CHECK(range_end("a\xff") == "b");
  CHECK(range_end("\xff\xff") == std::string(1, '\0'));
  CHECK(range_end("") == std::string(1, '\0'));
}

TEST_CASE("Numbers of 64 bits are read as numbers and as strings", "[orchestrator][state]") {
  const auto json = nlohmann::json::parse(
      R"({"a":5,"b":"18446744073709551615","c":null,"d":-1,"e":"-1","f":1.5,"g":"","h":"5 ",)"
      R"("i":[]})");
  CHECK(json_uint64(json, "a") == 5);
  CHECK(json_uint64(json, "b") == std::numeric_limits<std::uint64_t>::max());
  CHECK(json_uint64(json, "c") == 0);
  CHECK(json_uint64(json, "missing") == 0);
  for (const char* name : {"d", "e", "f", "g", "h", "i"}) CHECK_FALSE(json_uint64(json, name));
}

}  // namespace
}  // namespace shoal

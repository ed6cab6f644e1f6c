#include "orchestrator/cccf/words.h"

#include <cstdio>
#include <random>

#include "tests/orchestrator/cccf/documents.h"

namespace shoal {
namespace {

TEST_CASE("A command line is split as a POSIX shell splits it", "[cccf]") {
  const auto [line, words] = GENERATE(table<std::string, Lines>({
      {"", {}},
      {"  a  b\tc\n", {"a", "b", "c"}},
      {"sh -c 'echo a; b'", {"sh", "-c", "echo a; b"}},
      {R"("a \" b" 'c \' d)", {"a \" b", "c \\", "d"}},
      {R"(a\ b "" '')", {"a b", "", ""}},
      {R"(x"y"'z')", {"xyz"}},
      {R"("\a\$\\")", {"\\a$\\"}},
      {"a\\\nb", {"ab"}},
      {"$HOME *.c | > x", {"$HOME", "*.c", "|", ">", "x"}},
  }));
  CAPTURE(line);
  const auto split = split_words(line);
  REQUIRE(split);
  CHECK(*split == words);
}

TEST_CASE("A quote that is not closed is an error", "[cccf]") {
  for (const auto* const line : {"a 'b", "a \"b", "a\\", "\"a\\\""}) {
    CAPTURE(line);
    CHECK_FALSE(split_words(line));
  }
}

TEST_CASE("A shell reads quoted words back, whatever is in them", "[cccf]") {
  CHECK(quote_words({"docker", "run", "--env=A=1", "a b", "", "it's", "$(id)"}) ==
        R"(docker run --env=A=1 'a b' '' 'it'\''s' '$(id)')");
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    Lines words;
    for (auto n = random() % 5; n > 0; --n) {
      std::string word;
      for (auto length = random() % 12; length > 0; --length) {
        static constexpr std::string_view kAny = "ab '\"\\$`\n\t*?;|&<>(){}[]~#!%=-\xC3\xA6";
        word += kAny[random() % kAny.size()];
      }
      words.push_back(word);
    }
    const auto split = split_words(quote_words(words));
    REQUIRE(split);
    CHECK(*split == words);
  }
}

TEST_CASE("A real shell agrees about quoted words", "[cccf]") {
  const Lines words = {"a b", "it's", "$(id)", "`x`", "\\", "*", "line\nbreak", "~", "#", "!x"};
  const std::string command = "printf '%s\\037' " + quote_words(words);
  FILE* const pipe = popen(command.c_str(), "r");
  REQUIRE(pipe != nullptr);
  std::string said;
  for (int c; (c = std::fgetc(pipe)) != EOF;) said += static_cast<char>(c);
  CHECK(pclose(pipe) == 0);
  std::string expected;
  for (const std::string& word : words) expected += word + '\037';
  CHECK(said == expected);
}

}  // namespace
}  // namespace shoal

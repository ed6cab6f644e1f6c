#include "orchestrator/cccf/variables.h"

#include "tests/orchestrator/cccf/documents.h"

namespace shoal {
namespace {

std::string substituted(std::string_view text, const CccfVariables& variables) {
  return to_text(substitute(document_of(text), variables).to_json());
}

TEST_CASE("Variables are put into texts at any depth, and nowhere else", "[cccf]") {
  CHECK(substituted(R"({"id":"a","image":"i:${TAG}","x":{"${TAG}":["${A}${TAG}",1]}})",
                    {{"TAG", "1.4"}, {"A", "="}}) ==
        R"({"id":"a","image":"i:1.4","x":{"${TAG}":["=1.4",1]}})");
}

TEST_CASE("A value keeps all that is behind its first equals sign, and quotes", "[cccf]") {
  CHECK(substituted(R"({"env":["A=${X}"]})", {{"X", "k=a=b \"q\""}}) ==
        R"({"env":["A=k=a=b \"q\""]})");
}

TEST_CASE("Every variable without a value is an error with its pointer", "[cccf]") {
  CccfDiagnostics problems;
  static_cast<void>(resolve(
      document_of(R"([{"id":"a","image":"${I}","env":["A=${B}${C}${B}"],"x":{"y/z":"${D}"}}])"),
      problems));
  CHECK(brief(problems) ==
        Lines{"variable /0/image", "variable /0/env/0", "variable /0/env/0", "variable /0/x/y~1z"});
  CHECK(has_errors(problems));
  CHECK_THAT(problems.front().message, Catch::Contains("--var I="));
}

TEST_CASE("A dollar more means the text itself, until the last tool resolves it", "[cccf]") {
  const auto document = document_of(R"({"cmd":"echo $${HOME} $$ ${A} ${B-x} $B"})");
  const auto given = substitute(document, {{"A", "${HOME}"}});
  CHECK(*given.items[0].fields.find_text("cmd") == "echo $${HOME} $$ $${HOME} ${B-x} $B");
  CHECK(variables_in(given.items[0]).empty());
  CccfDiagnostics problems;
  const auto final = resolve(given, problems);
  CHECK(problems.empty());
  CHECK(*final.items[0].fields.find_text("cmd") == "echo ${HOME} $$ ${HOME} ${B-x} $B");
}

TEST_CASE("What is escaped is resolved to what it was", "[cccf]") {
  for (const std::string text :
       {"${A}", "$${A}", "$$${A}", "$", "$$", "${}", "${1}", "a${A}b${B}"}) {
    CAPTURE(text);
    CccfDocument document = document_of(R"({"cmd":""})");
    document.items[0].fields.set("cmd", escape_variables(text));
    CccfDiagnostics problems;
    CHECK(*resolve(document, problems).items[0].fields.find_text("cmd") == text);
    CHECK(problems.empty());
  }
}

}  // namespace
}  // namespace shoal

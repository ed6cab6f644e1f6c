#include "orchestrator/cccf/validate.h"

#include "orchestrator/cccf/schema.h"
#include "tests/orchestrator/cccf/documents.h"

namespace shoal {
namespace {

using Severity = CccfDiagnostic::Severity;

Lines checks_of(std::string_view text, CccfRules rules = CccfRules::lenient) {
  return brief(validate_cccf(document_of(text), rules));
}

TEST_CASE("The patterns are those of cccf 3.3.0, to the character", "[cccf]") {
  for (const auto* const id : {"a", "/a", "A-b_9", "-"}) CHECK(is_cccf_id(id));
  for (const auto* const id : {"", "/", "//a", "a.b", "a b", "\xC3\xA5", "a\n"}) {
    CHECK_FALSE(is_cccf_id(id));
  }
  for (const auto* const port : {"80:80", "99999:0", "53:53/udp", "1:1/tcp"}) {
    CHECK(is_cccf_port(port));
  }
  for (const auto* const port : {"80", ":80", "80:", "80:80/sctp", "127.0.0.1:80:80", "80-81:80",
                                 "80:80/", "80:80/tcp/udp", "80:80\n"}) {
    CHECK_FALSE(is_cccf_port(port));
  }
  for (const auto* const env : {"A=", "A=1", "_a9=x=y", "A= \t\x0b"}) CHECK(is_cccf_env(env));
  for (const auto* const env :
       {"A", "=1", "A-B=1", "A.B=1", "A=1\n", "A=\r", "A=\xE2\x80\xA8", "A=\xE2\x80\xA9", " A=1"}) {
    CHECK_FALSE(is_cccf_env(env));
  }
  for (const auto* const volume : {"/a:/b", "name:/c", "./rel:/c", "/h:/c:ro", "a:b:/c", " :/a"}) {
    CHECK(is_cccf_volume(volume));
  }
  for (const auto* const volume : {"/a", "/a:/b/", "/a:/", "$id", ":/a", "a:/b//c", "a:b", ""}) {
    CHECK_FALSE(is_cccf_volume(volume));
  }
  CHECK_FALSE(is_cccf_volume(std::string_view("\0:/a", 4)));
  CHECK(is_cccf_expose("6379"));
  for (const auto* const port : {"", "6379/udp", "a"}) CHECK_FALSE(is_cccf_expose(port));
}

TEST_CASE("All that the schema refuses is said in one pass, each with its pointer", "[cccf]") {
  CHECK(checks_of(R"([{"image":5},3,{"id":"a b","image":"i","cmd":["x"],"ports":["80",8,"1:1"],)"
                  R"("env":"A=1","volumes":["/a:/"],"expose":[80]}])",
                  CccfRules::strict) == Lines{"schema /0/id", "schema /0/image", "schema /1",
                                              "schema /2/id", "schema /2/cmd", "schema /2/ports/0",
                                              "schema /2/ports/1", "schema /2/env",
                                              "schema /2/volumes/0", "schema /2/expose/0"});
  CHECK(checks_of("null") == Lines{"schema "});
  CHECK(checks_of(R"({"image":"i"})") == Lines{"schema /id"});
}

TEST_CASE("Unknown fields and an empty list are valid", "[cccf]") {
  CHECK(checks_of("[]", CccfRules::strict).empty());
  CHECK(checks_of(R"({"id":"a","image":"i","x":{"y":[1]},"dns":5,"0":null})").empty());
}

TEST_CASE("A bare volume path is refused by strict rules alone, and named by others", "[cccf]") {
  const auto* const text = R"({"id":"a","image":"i","volumes":["/data"]})";
  CHECK(has_errors(validate_cccf(document_of(text), CccfRules::strict)));
  const auto lenient = validate_cccf(document_of(text));
  CHECK_FALSE(has_errors(lenient));
  CHECK(brief(lenient) == Lines{"bare-volume /volumes/0"});
}

TEST_CASE("What cccf does not look at are warnings by name", "[cccf]") {
  const auto [text, check] = GENERATE(table<std::string, std::string>({
      {R"([{"id":"a","image":"i"},{"id":"/a","image":"i"}])", "duplicate-id /1/id"},
      {R"([{"id":"a","image":"i","ports":["80:1"]},{"id":"b","image":"i","ports":["080:2/tcp"]}])",
       "port-clash /1/ports/0"},
      {R"({"id":"a","image":"i","ports":["1:1","1:2"]})", "port-clash /ports/1"},
      {R"({"id":"a","image":"i","ports":["65536:1"]})", "port-range /ports/0"},
      {R"({"id":"a","image":"i","ports":["1:0/udp"]})", "port-range /ports/0"},
      {R"({"id":"a","image":"i","expose":["70000"]})", "port-range /expose/0"},
      {R"({"id":"a","image":"i","links":["$b"]})", "unresolved-reference /links/0"},
      {R"({"id":"a","image":"i","depends":["b"]})", "unresolved-reference /depends/0"},
      {R"({"id":"a","image":""})", "empty-image /image"},
      {R"({"id":"a","image":"i:${TAG}"})", "variable /image"},
      {R"({"id":"a","image":"i","scale":"3"})", "field /scale"},
      {R"({"id":"a","image":"i","scale":2.5})", "field /scale"},
      {R"({"id":"a","image":"i","memory":"much"})", "field /memory"},
      {R"({"id":"a","image":"i","cmd":"echo 'x"})", "field /cmd"},
      {R"({"id":"a","image":"i","health":{"tcp":1,"http":2}})", "field /health"},
  }));
  CAPTURE(text);
  const auto diagnostics = validate_cccf(document_of(text), CccfRules::strict);
  CHECK(brief(diagnostics) == Lines{check});
  CHECK_FALSE(has_errors(diagnostics));
  const auto& names = cccf_checks();
  CHECK(std::any_of(names.begin(), names.end(),
                    [&](const CccfCheck& one) { return one.name == diagnostics.front().check; }));
}

TEST_CASE("Ports do not clash on different hosts or with different protocols", "[cccf]") {
  CHECK(checks_of(R"([{"id":"a","image":"i","host":"x","ports":["80:1","53:1/udp"]},)"
                  R"({"id":"b","image":"i","host":"y","ports":["80:1","53:1"]}])")
            .empty());
}

TEST_CASE("References find containers with and without the dollar, aliases and a slash", "[cccf]") {
  CHECK(checks_of(R"([{"id":"/db","image":"i"},{"id":"a","image":"i","links":["$db","db:store"],)"
                  R"("volumes-from":["db:ro"],"depends":["db"]}])")
            .empty());
}

TEST_CASE("What a default says is wrong is said once, where it stands", "[cccf]") {
  const auto document = document_of(
      "services:\n  default: {expose: [80]}\n  a: {image: i}\n  b: "
      "{image: i}\n");
  CHECK(brief(validate_cccf(document)) == Lines{"schema /services/default/expose/0"});
}

TEST_CASE("A diagnostic reads as one line", "[cccf]") {
  CHECK(to_text(CccfDiagnostic{Severity::warning, "port-range", "a.json", "/0/ports/1", "no"}) ==
        "a.json: warning: /0/ports/1: no (port-range)");
  CHECK(to_text(CccfDiagnostic{Severity::error, "schema", "", "", "no"}) ==
        "error: the document: no (schema)");
}

}  // namespace
}  // namespace shoal

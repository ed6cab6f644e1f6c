#include "orchestrator/cccf/read.h"

#include "tests/orchestrator/cccf/documents.h"

namespace shoal {
namespace {

std::string read_error(std::string_view text, std::string_view file = {},
                       CccfSyntax syntax = CccfSyntax::automatic) {
  const auto read = read_cccf(text, file, syntax);
  REQUIRE_FALSE(read);
  return read.error().message;
}

TEST_CASE("A document keeps its form and every field of it", "[cccf]") {
  const std::string one = R"({"x-note":{"n":1.50},"id":"a","image":"b","dns":["8.8.8.8"]})";
  CHECK(to_text(document_of(one).to_json()) == one);
  CHECK(document_of(one).single);
  const std::string list = "[" + one + "," + one + "]";
  CHECK(to_text(document_of(list).to_json()) == list);
  CHECK(to_text(document_of("[]").to_json()) == "[]");
  CHECK(to_text(document_of("[" + one + "]").to_json()) == "[" + one + "]");
}

TEST_CASE("YAML may hold what JSON may", "[cccf]") {
  const auto list = document_of("- id: a\n  image: b\n  ports: [80:80, '53:53/udp']\n");
  CHECK(to_text(list.to_json()) == R"([{"id":"a","image":"b","ports":["80:80","53:53/udp"]}])");
  CHECK(document_of("id: a\nimage: b\n").single);
}

TEST_CASE("The default of a map of services yields to what a service says itself", "[cccf]") {
  const auto document = document_of(R"(
version: 1
swarm: acme
services:
  default:
    dns: [192.0.2.53]
    restart: always
    memory: 64MB
  gateway:
    image: acme/gateway:1
    restart: on-failure
    memory: ~
  plain:
)");
  CHECK_FALSE(document.single);
  CHECK(to_text(document.to_json()) ==
        R"([{"id":"gateway","image":"acme/gateway:1","restart":"on-failure","dns":["192.0.2.53"]},)"
        R"({"id":"plain","dns":["192.0.2.53"],"restart":"always","memory":"64MB"}])");
  CHECK(document.items[0].pointer_to("image") == "/services/gateway/image");
  CHECK(document.items[0].pointer_to("dns") == "/services/default/dns");
}

TEST_CASE("Scalars of YAML are typed by the core schema, and texts stay texts", "[cccf]") {
  const auto document = document_of(R"(
id: a
t: [yes, no, on, 80:80, 1:2:3, 1.2.3, 0x, .inf, '5', "true", !!str 7, 2016-03-01, 1_000]
v: [true, FALSE, ~, null, 5, -5, +5, 007, 0o17, 0xff, 1.5, .5, 1e3, -0.0]
)");
  CHECK(to_text(*document.items[0].fields.find("t")) ==
        R"(["yes","no","on","80:80","1:2:3","1.2.3","0x",".inf","5","true","7",)"
        R"("2016-03-01","1_000"])");
  CHECK(to_text(*document.items[0].fields.find("v")) ==
        "[true,false,null,null,5,-5,5,7,15,255,1.5,0.5,1e3,-0.0]");
}

TEST_CASE("YAML's aliases and merges are written out", "[cccf]") {
  const auto document = document_of(R"(
services:
  a: &a { image: x, env: &env ["A=1"] }
  b: { <<: *a, image: y }
  c: { <<: [{env: []}, *a] }
)");
  CHECK(to_text(document.to_json()) == R"([{"id":"a","image":"x","env":["A=1"]},)"
                                       R"({"id":"b","image":"y","env":["A=1"]},)"
                                       R"({"id":"c","env":[],"image":"x"}])");
}

TEST_CASE("What cannot be read is refused with its file and line", "[cccf]") {
  CHECK_THAT(read_error("", "app.json"), Catch::StartsWith("app.json: it is empty"));
  CHECK_THAT(read_error("a: [1\nb", "app.yaml"), Catch::Contains("app.yaml: line 2"));
  CHECK_THAT(read_error("id: a\nid: b\n"), Catch::Contains("line 2: \"id\" is there twice"));
  CHECK_THAT(read_error("id: a\n---\nid: b\n"), Catch::Contains("a second YAML document"));
  CHECK_THAT(read_error("? [a]\n: b\n"), Catch::Contains("a key must be plain text"));
  CHECK_THAT(read_error("services: [a]\n"), Catch::Contains("/services: it is a map"));
  CHECK_THAT(read_error("services: {a: 1}\n"), Catch::Contains("/services/a: a service is a map"));
  CHECK_THAT(read_error("services: {a: {id: b}}\n"), Catch::Contains("its id is its name"));
  CHECK_THAT(read_error("services: {default: 1, a: {}}\n"), Catch::Contains("/services/default"));
  CHECK_THAT(read_error("a: {<<: 1}\n"), Catch::Contains("merges maps only"));
  CHECK_THAT(read_error("id: a\n", "app.json", CccfSyntax::json), Catch::Contains("no JSON"));
  CHECK_THAT(read_error(std::string(kCccfBytesMax + 1, ' ')),
             Catch::Contains("larger than 16 MiB"));
}

TEST_CASE("Aliases that write out to very much end with an error, not with the memory", "[cccf]") {
  std::string text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 12; ++i) {
    const std::string last = "*a" + std::to_string(i - 1);
    text += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + last;
    for (int n = 1; n < 10; ++n) text += ", " + last;
    text += "]\n";
  }
  CHECK_THAT(read_error(text), Catch::Contains("too many values"));
  std::string services = "services:\n  default:\n    x:\n";
  for (int i = 0; i < 2000; ++i) services += "    - y\n";
  for (int i = 0; i < 600; ++i) services += "  s" + std::to_string(i) + ": {}\n";
  CHECK_THAT(read_error(services), Catch::Contains("too large"));
}

TEST_CASE("Documents are put together in their order, and know their files", "[cccf]") {
  std::vector<CccfDocument> documents;
  documents.push_back(document_of(R"({"id":"a","image":"i"})", "a.json"));
  documents.push_back(document_of(R"([{"id":"b","image":"i"}])", "b.json"));
  const auto all = join(std::move(documents));
  CHECK(ids_of(all.items) == Lines{"a", "b"});
  CHECK(all.to_json().array() != nullptr);
  CHECK(all.items[1].file == "b.json");
  CHECK(all.items[1].pointer_to("image") == "/0/image");
}

TEST_CASE("A file's name tells its syntax", "[cccf]") {
  CHECK(syntax_of("a.json") == CccfSyntax::json);
  CHECK(syntax_of("a.yaml") == CccfSyntax::yaml);
  CHECK(syntax_of("a.yml") == CccfSyntax::yaml);
  CHECK(syntax_of("a") == CccfSyntax::automatic);
}

}  // namespace
}  // namespace shoal

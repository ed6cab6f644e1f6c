#include "orchestrator/cccf/diff.h"

#include <random>

#include "orchestrator/cccf/random.h"
#include "orchestrator/cccf/scale.h"
#include "tests/orchestrator/cccf/documents.h"

namespace shoal {
namespace {

CccfDifference difference(const CccfDocument& current, const CccfDocument& wanted,
                          const CccfDiffOptions& options = {}) {
  CccfDiagnostics problems;
  auto result = diff_cccf(current, wanted, options, problems);
  CHECK(brief(problems) == Lines{});
  return result;
}

/// `keep a b add c remove d`
std::string summary(std::string_view current, std::string_view wanted,
                    const CccfDiffOptions& options = {}) {
  const auto found = difference(document_of(current), document_of(wanted), options);
  std::string text;
  const auto list = [&](std::string_view word, const std::vector<CccfItem>& items) {
    text += (text.empty() ? "" : " ") + std::string(word);
    for (const std::string& id : ids_of(items)) text += " " + id;
  };
  list("keep", found.keep);
  list("add", found.add);
  list("remove", found.remove);
  return text;
}

TEST_CASE("What is there is kept, what is not is added, what is not wanted is removed", "[cccf]") {
  CHECK(summary(R"([{"id":"a","image":"i"},{"id":"b","image":"i"}])",
                R"([{"id":"c","image":"i"},{"id":"a","image":"i"}])") == "keep a add c remove b");
}

TEST_CASE("Whatever cccf-diff took for the same by its sorted characters is a change", "[cccf]") {
  const auto [current, wanted, field] = GENERATE(table<std::string, std::string, std::string>({
      {R"({"id":"a","image":"i","ports":["80:8080"]})",
       R"({"id":"a","image":"i","ports":["8080:80"]})",
       R"({"field":"ports","current":["80:8080"],"wanted":["8080:80"]})"},
      {R"({"id":"a","image":"i:1.2.3"})", R"({"id":"a","image":"i:3.2.1"})",
       R"({"field":"image","current":"i:1.2.3","wanted":"i:3.2.1"})"},
      {R"({"id":"a","image":"i","env":["V=12","X=1"]})",
       R"({"id":"a","image":"i","env":["X=1","V=21"]})",
       R"({"field":"env","current":["V=12"],"wanted":["V=21"]})"},
  }));
  const auto found = difference(document_of(current), document_of(wanted));
  CHECK(ids_of(found.add) == Lines{"a"});
  CHECK(ids_of(found.remove) == Lines{"a"});
  CHECK(to_text(*found.to_json().find("changes")) == R"([{"id":"a","fields":[)" + field + "]}]");
}

TEST_CASE("An id's anagram is another container", "[cccf]") {
  CHECK(summary(R"({"id":"web1","image":"i"})", R"({"id":"w1eb","image":"i"})") ==
        "keep add w1eb remove web1");
}

TEST_CASE("Spellings, placement and scale are no change", "[cccf]") {
  CHECK(summary(R"({"id":"/a","image":"i","host":"x"})",
                R"({"host":"y","image":"i:latest","id":"a","scale":1})") == "keep a add remove");
}

TEST_CASE("Another scale starts or stops instances and touches no other", "[cccf]") {
  const auto* const three = R"({"id":"a","image":"i","scale":3})";
  const auto* const four = R"({"id":"a","image":"i","scale":4})";
  CHECK(summary(three, four) == "keep a a-scale-1 a-scale-2 add a-scale-3 remove");
  CHECK(summary(four, three) == "keep a a-scale-1 a-scale-2 add remove a-scale-3");
  CHECK(summary(three, R"({"id":"a","image":"i","scale":0})") ==
        "keep add remove a a-scale-1 a-scale-2");
}

TEST_CASE("A single object is as good as a list", "[cccf]") {
  CHECK(summary(R"({"id":"a","image":"i"})", R"([{"id":"a","image":"i"}])") == "keep a add remove");
}

TEST_CASE("Two alike are two", "[cccf]") {
  const auto* const one = R"([{"id":"a","image":"i"}])";
  const auto* const two = R"([{"id":"a","image":"i"},{"id":"a","image":"i"}])";
  CHECK(summary(one, two) == "keep a add a remove");
  CHECK(summary(two, one) == "keep a add remove a");
  CHECK(summary(two, two) == "keep a a add remove");
}

TEST_CASE("Every ignored id is ignored, with its instances, and omitted fields do not count",
          "[cccf]") {
  CccfDiffOptions options;
  options.ignore = {"x", "y"};
  options.omit = {"note"};
  CHECK(summary(R"([{"id":"x","image":"i"},{"id":"y","image":"i","scale":2}])",
                R"([{"id":"a","image":"i"}])", options) == "keep add a remove");
  CHECK(summary(R"({"id":"a","image":"i","note":1})", R"({"id":"a","image":"i","note":2})",
                options) == "keep a add remove");
}

TEST_CASE("A field that one side lacks is explained with null", "[cccf]") {
  const auto changes = explain_difference(json_of(R"({"id":"a","image":"i","x":{"k":1}})"),
                                          json_of(R"({"id":"a","image":"i","memory":"1MB"})"));
  REQUIRE(changes.size() == 2);
  CHECK(changes[0].field == "memory");
  CHECK(changes[0].current.is_null());
  CHECK(to_text(changes[0].wanted) == R"("1048576")");
  CHECK(changes[1].field == "x");
  CHECK(changes[1].wanted.is_null());
}

TEST_CASE("What a difference writes is read back", "[cccf]") {
  const auto found = difference(document_of(R"([{"id":"a","image":"i"},{"id":"b","image":"i"}])"),
                                document_of(R"([{"id":"c","image":"i"},{"id":"a","image":"i"}])"));
  const auto read = read_difference(found.to_json(), "d.json");
  REQUIRE(read);
  CHECK(ids_of(read->add) == Lines{"c"});
  CHECK(ids_of(read->keep) == Lines{"a"});
  CHECK(read->remove.front().pointer == "/remove/0");
  CHECK_FALSE(
      read_difference(json_of(R"({"id":"a","image":"i","add":[],"keep":[],"remove":[]})"), ""));
  CHECK_FALSE(read_difference(json_of("[]"), ""));
}

TEST_CASE("A document differs from itself in nothing, in any order of its parts", "[cccf]") {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    CccfDocument document = random_cccf({seed, 6});
    CccfDocument shuffled = document;
    std::mt19937_64 random(seed);
    std::shuffle(shuffled.items.begin(), shuffled.items.end(), random);
    for (CccfItem& item : shuffled.items) {
      std::shuffle(item.fields.object()->begin(), item.fields.object()->end(), random);
      for (const char* const name : {"env", "ports", "volumes", "expose"}) {
        const JsonValue* const list = item.fields.find(name);
        if (list == nullptr) continue;
        JsonValue::Array values = *list->array();
        std::shuffle(values.begin(), values.end(), random);
        item.fields.set(name, std::move(values));
      }
    }
    const auto found = difference(document, shuffled);
    CHECK(found.add.empty());
    CHECK(found.remove.empty());
    CHECK(found.changes.empty());
  }
}

TEST_CASE("What is kept and added is what is wanted; kept and removed what is there", "[cccf]") {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    const CccfDocument current = random_cccf({seed, 8});
    CccfDocument wanted = random_cccf({seed + 1000, 4});
    for (std::size_t i = 0; i < 4; ++i) wanted.items.push_back(current.items[i]);
    wanted.items.back().fields.set("image", "another:1");
    const auto found = difference(current, wanted);
    const auto sizes = [](const CccfDocument& document) {
      CccfDiagnostics problems;
      return scale_up(document, problems).items.size();
    };
    CHECK(found.keep.size() + found.add.size() == sizes(wanted));
    CHECK(found.keep.size() + found.remove.size() == sizes(current));
    CHECK(found.changes.front().fields.front().field == "image");
  }
}

}  // namespace
}  // namespace shoal

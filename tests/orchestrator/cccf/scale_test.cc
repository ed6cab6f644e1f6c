#include "orchestrator/cccf/scale.h"

#include "orchestrator/cccf/random.h"
#include "orchestrator/cccf/service.h"
#include "tests/orchestrator/cccf/documents.h"

namespace shoal {
namespace {

CccfDocument scaled(const CccfDocument& document) {
  CccfDiagnostics problems;
  auto result = scale_up(document, problems);
  CHECK(brief(problems) == Lines{});
  return result;
}

TEST_CASE("A scale is the total: the container itself, and copies without a scale", "[cccf]") {
  const auto document = document_of(
      R"([{"id":"api","image":"acme/api:2","scale":3,"x":[1]},{"id":"b","image":"i"}])");
  CHECK(to_text(scaled(document).to_json()) ==
        R"([{"id":"api","image":"acme/api:2","scale":3,"x":[1]},)"
        R"({"id":"api-scale-1","image":"acme/api:2","x":[1]},)"
        R"({"id":"api-scale-2","image":"acme/api:2","x":[1]},{"id":"b","image":"i"}])");
}

TEST_CASE("A scale of 0 is no container", "[cccf]") {
  CHECK(scaled(document_of(R"([{"id":"a","image":"i","scale":0}])")).items.empty());
}

TEST_CASE("A single object becomes a list only if it is several", "[cccf]") {
  const auto one = document_of(R"({"id":"a","image":"i","scale":1})");
  CHECK(scaled(one).to_json() == one.to_json());
  CHECK(scaled(document_of(R"({"id":"a","image":"i","scale":2})")).to_json().array() != nullptr);
  CHECK(to_text(scaled(document_of(R"({"id":"a","image":"i","scale":0})")).to_json()) == "[]");
}

TEST_CASE("A scale that is no whole number in bounds is an error, not a guess", "[cccf]") {
  for (const auto* const scale : {"2.5", "\"3\"", "-1", "10001", "true", "null", "[]"}) {
    CAPTURE(scale);
    CccfDiagnostics problems;
    static_cast<void>(scale_up(
        document_of(R"([{"id":"a","image":"i","scale":)" + std::string(scale) + "}]"), problems));
    CHECK(brief(problems) == Lines{"field /0/scale"});
    CHECK(has_errors(problems));
  }
}

TEST_CASE("A document that would become too large is an error", "[cccf]") {
  std::string text = R"([{"id":"a","image":"i","scale":10000,"x":[0)";
  for (int i = 0; i < 2000; ++i) text += ",0";
  CccfDiagnostics problems;
  static_cast<void>(scale_up(document_of(text + "]}]"), problems));
  CHECK(brief(problems) == Lines{"size /0/scale"});
}

TEST_CASE("An id with -scale- in it is its owner's business", "[cccf]") {
  const auto document = document_of(R"([{"id":"gray-scale-filter","image":"i"},)"
                                    R"({"id":"gray-scale-2","image":"i"},)"
                                    R"({"id":"api-scale-1","image":"other"},)"
                                    R"({"id":"api","image":"i"},{"id":"x-scale-0","image":"i"}])");
  CHECK(scale_down(document).to_json() == document.to_json());
}

TEST_CASE("Instances that run become one container with their number as its scale", "[cccf]") {
  const auto document =
      document_of(R"([{"id":"api-scale-1","image":"i","host":"b"},{"id":"api","image":"i"},)"
                  R"({"id":"api-scale-2","image":"i","host":"c"}])");
  CHECK(to_text(scale_down(document).to_json()) == R"([{"id":"api","image":"i","scale":3}])");
}

TEST_CASE("Scaling twice changes nothing, and unscaling undoes it", "[cccf]") {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    const auto document = random_cccf({seed, 5});
    const auto once = scaled(document);
    CHECK(scaled(once).to_json() == once.to_json());
    CHECK(scale_down(once).to_json() == document.to_json());
    std::size_t instances = 0;
    CccfDiagnostics problems;
    for (const CccfService& service : view(document, problems)) instances += service.scale;
    CHECK(once.items.size() == instances);
  }
}

TEST_CASE("Ids of instances are told from others", "[cccf]") {
  CHECK(parse_instance_id("a-scale-12")->base == "a");
  CHECK(parse_instance_id("a-scale-12")->number == 12);
  CHECK(parse_instance_id("a-scale-1-scale-2")->base == "a-scale-1");
  for (const auto* const id : {"a", "a-scale-", "-scale-1", "a-scale-0", "a-scale-01", "a-scale-x",
                               "a-scale-99999999999999999999"}) {
    CAPTURE(id);
    CHECK_FALSE(parse_instance_id(id));
  }
}

}  // namespace
}  // namespace shoal

#include "orchestrator/cccf/random.h"

#include <set>

#include "orchestrator/cccf/instructions.h"
#include "orchestrator/cccf/scale.h"
#include "orchestrator/cccf/service.h"
#include "orchestrator/cccf/validate.h"
#include "orchestrator/cccf/words.h"
#include "tests/orchestrator/cccf/documents.h"

namespace shoal {
namespace {

TEST_CASE("A random document is valid by strict rules, and the same for the same seed", "[cccf]") {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    const bool plain = seed % 3 == 0;
    const auto document = random_cccf({seed, 6, plain});
    CAPTURE(seed);
    CHECK(brief(validate_cccf(document, CccfRules::strict)) == Lines{});
    CHECK(to_text(random_cccf({seed, 6, plain}).to_json()) == to_text(document.to_json()));
    const auto ids = ids_of(document.items);
    CHECK(std::set<std::string>(ids.begin(), ids.end()).size() == 6);
  }
  CHECK(random_cccf({1, 3}).to_json() != random_cccf({2, 3}).to_json());
  CHECK(random_cccf({1, 0}).items.empty());
}

TEST_CASE("A random document is read back from JSON and from YAML as it was", "[cccf]") {
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    const std::string text = to_pretty_text(random_cccf({seed, 4}).to_json());
    CHECK(to_pretty_text(document_of(text).to_json()) == text);
    // JSON is YAML, and quoted texts are texts in both.
    const auto yaml = read_cccf(text, "", CccfSyntax::yaml);
    REQUIRE(yaml);
    CHECK(to_pretty_text(yaml->to_json()) == text);
  }
}

TEST_CASE("The views and the instructions of random documents are sound", "[cccf]") {
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    CccfDiagnostics problems;
    const auto document = scale_up(random_cccf({seed, 5}), problems);
    const auto services = view(document, problems);
    CHECK(services.size() == document.items.size());
    InstructionOptions options;
    for (const CccfItem& item : document.items) {
      for (const JsonField& field : *item.fields.object()) {
        if (field.name.starts_with("x-")) options.exclude.push_back(field.name);
      }
    }
    const auto calls = docker_instructions(DockerVerb::run, document, options, problems);
    CHECK(brief(problems) == Lines{});
    REQUIRE(calls.size() == services.size());
    std::set<std::string> started;
    for (const DockerInstruction& call : calls) {
      CHECK(*split_words(quote_words(call.argv)) == call.argv);
      started.insert(call.id);
      const auto service = std::find_if(services.begin(), services.end(),
                                        [&](const auto& one) { return one.id == call.id; });
      for (const std::string& id : service->depends) CHECK(started.count(id) == 1);
    }
  }
}

}  // namespace
}  // namespace shoal

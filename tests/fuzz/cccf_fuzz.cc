// Documents of containers: a stranger's JSON or YAML, through every pure function, without a crash
// and with what the functions promise about each other. The first byte chooses the syntax; `i`
// takes the rest for what `docker inspect` wrote.

#include <cstdint>
#include <string_view>

#include "orchestrator/cccf/canonical.h"
#include "orchestrator/cccf/diff.h"
#include "orchestrator/cccf/from_docker.h"
#include "orchestrator/cccf/instructions.h"
#include "orchestrator/cccf/read.h"
#include "orchestrator/cccf/scale.h"
#include "orchestrator/cccf/service.h"
#include "orchestrator/cccf/validate.h"
#include "orchestrator/cccf/variables.h"
#include "orchestrator/cccf/words.h"
#include "tests/fuzz/require.h"

namespace {

constexpr std::size_t kScaledMax = 2000;  // So that one input does not take all the time.

void check_json(const shoal::CccfDocument& document) {
  const std::string text = shoal::to_text(document.to_json());
  const auto again = shoal::read_cccf(text, "", shoal::CccfSyntax::json);
  SHOAL_REQUIRE(again);
  SHOAL_REQUIRE(shoal::to_text(again->to_json()) == text);
}

void check_instructions(const shoal::CccfDocument& document) {
  shoal::CccfDiagnostics problems;
  for (const auto& call :
       shoal::docker_instructions(shoal::DockerVerb::run, document, {}, problems)) {
    const auto words = shoal::split_words(shoal::quote_words(call.argv));
    SHOAL_REQUIRE(words && *words == call.argv);
  }
}

void check_valid(const shoal::CccfDocument& document) {
  shoal::CccfDiagnostics problems;
  std::size_t instances = 0;
  for (const auto& service : shoal::view(document, problems)) instances += service.scale;
  if (instances > kScaledMax) return;
  problems.clear();
  const auto scaled = shoal::scale_up(document, problems);
  if (shoal::has_errors(problems)) return;
  SHOAL_REQUIRE(shoal::scale_up(scaled, problems).to_json() == scaled.to_json());
  const auto difference = shoal::diff_cccf(document, scaled, {}, problems);
  SHOAL_REQUIRE(difference.add.empty() && difference.remove.empty());
  SHOAL_REQUIRE(difference.keep.size() == scaled.items.size());
  check_instructions(scaled);
}

void check_document(std::string_view text, shoal::CccfSyntax syntax) {
  const auto document = shoal::read_cccf(text, "", syntax);
  if (!document) return;
  check_json(*document);
  const auto strict = shoal::validate_cccf(*document, shoal::CccfRules::strict);
  const auto lenient = shoal::validate_cccf(*document);
  SHOAL_REQUIRE(shoal::has_errors(strict) || !shoal::has_errors(lenient));
  for (const auto& item : document->items) {
    const auto form = shoal::canonical(item.fields);
    SHOAL_REQUIRE(shoal::spec_hash(item.fields) == shoal::Digest::of(shoal::to_text(form)));
  }
  static_cast<void>(shoal::scale_down(*document));
  const auto given = shoal::substitute(*document, {{"X", "${X}"}});
  for (const auto& item : given.items) {
    for (const auto& use : shoal::variables_in(item)) SHOAL_REQUIRE(use.name != "X");
  }
  if (!shoal::has_errors(lenient)) check_valid(*document);
}

void check_inspection(std::string_view text) {
  shoal::DockerInspection inspection;
  if (!shoal::add_inspection(text, inspection)) return;
  shoal::CccfDiagnostics problems;
  const auto document = shoal::from_docker(inspection, "", problems);
  SHOAL_REQUIRE(document.items.size() == inspection.containers.size());
  check_json(document);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t kInputMax = 64 << 10;
  if (size == 0 || size > kInputMax) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] == 'i') {
    check_inspection(text);
  } else {
    check_document(text, data[0] == 'j' ? shoal::CccfSyntax::json : shoal::CccfSyntax::yaml);
  }
  return 0;
}

#include <random>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "cli/cccf.h"
#include "orchestrator/cccf/random.h"

namespace shoal {
namespace {

constexpr std::size_t kCountMax = 10'000;  // Ids and ports must not run out.

struct Options {
  RandomCccf random;
  std::string merge;
};

void run(Program& program, const Options& options) {
  JsonValue extra = JsonValue::Object();
  if (!options.merge.empty()) {
    auto read = parse_json(options.merge);
    if (!read || read->object() == nullptr) {
      program.exit = report(
          program.terminal,
          {Errc::usage, "--merge: " + (read ? "it is no JSON object" : read.error().message)});
      return;
    }
    extra = *std::move(read);
  }
  CccfDocument document = random_cccf(options.random);
  for (CccfItem& item : document.items) {
    for (const JsonField& field : *extra.object()) item.fields.set(field.name, field.value);
  }
  write_json(program.terminal, document.to_json());
}

}  // namespace

void add_cccf_random(CLI::App& cccf, Program& program) {
  auto* command = cccf.add_subcommand("random", "Make up a document, for tests");
  auto options = std::make_shared<Options>();
  options->random.seed = std::random_device()();
  command->add_option("COUNT", options->random.count, "How many containers")
      ->check(CLI::Range(std::size_t{0}, kCountMax).description(""))
      ->capture_default_str();
  command->add_option("--seed", options->random.seed, "The same seed makes the same document")
      ->type_name("NUMBER");
  command->add_flag("--plain", options->random.plain, "Only the fields that cccf 3.3.0 makes up");
  command->add_option("--merge", options->merge, "Fields that every container gets")
      ->type_name("JSON");
  command->footer(
      "Examples:\n"
      "  shoal cccf random 20 --seed 7 | shoal cccf validate --strict\n"
      "  shoal cccf random 3 --plain --merge '{\"restart\":\"always\"}'");
  command->callback([=, &program] { run(program, *options); });
}

}  // namespace shoal

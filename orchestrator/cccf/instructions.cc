#include "orchestrator/cccf/instructions.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>

#include <fmt/format.h>

#include "orchestrator/cccf/docker_flags.h"
#include "orchestrator/cccf/order.h"
#include "orchestrator/cccf/quantity.h"
#include "orchestrator/cccf/schema.h"
#include "orchestrator/cccf/service.h"
#include "orchestrator/cccf/variables.h"
#include "orchestrator/cccf/words.h"

namespace shoal {
namespace {

/// One flag with its values; none of them: the bare flag.
struct Flag {
  std::string name;
  std::vector<std::string> values;
  bool bare = false;
};

/// What Docker's command line calls a field.
std::string flag_name(const std::string& field) {
  static constexpr std::pair<std::string_view, std::string_view> kNames[] = {
      {"cpu", "cpu-shares"},
      {"labels", "label"},
      {"links", "link"},
      {"volumes_from", "volumes-from"},
      {"stop_grace", "stop-timeout"},
      {"volumes", "volume"},
      {"ports", "p"},
      {"id", "name"}};
  for (const auto& [name, flag] : kNames) {
    if (name == field) return std::string(flag);
  }
  return field;
}

/// `docker run` for one container.
class Run {
 public:
  Run(const CccfItem& item, const InstructionOptions& options, CccfDiagnostics& problems)
      : item_(item), options_(options), problems_(problems) {}

  void append_to(std::vector<std::string>& argv) {
    collect();
    std::string letters;
    for (const Flag& flag : flags_) {
      if (flag.bare && flag.name.size() == 1) letters += flag.name;
    }
    if (!letters.empty()) argv.push_back("-" + letters);
    for (const Flag& flag : flags_) {
      if (flag.bare && flag.name.size() > 1) argv.push_back("--" + flag.name);
    }
    for (const bool one_letter : {true, false}) {
      for (const Flag& flag : flags_) {
        if (flag.bare || (flag.name.size() == 1) != one_letter) continue;
        for (const std::string& value : flag.values) {
          argv.push_back((one_letter ? "-" : "--") + flag.name + "=" + value);
        }
      }
    }
    append_command(argv);
  }

 private:
  void problem(std::string_view field, std::string message) {
    problems_.push_back({CccfDiagnostic::Severity::error, "flag", item_.file,
                         item_.pointer_to(field), std::move(message)});
  }

  /// In cccf-docker-instructions' order: fields as they stand, added flags, then those that it
  /// sets.
  void collect() {
    static constexpr std::string_view kOwn[] = {"id", "image", "cmd", "ports", "volumes"};
    for (const JsonField& field :
         item_.fields.object() == nullptr ? kNoFields : *item_.fields.object()) {
      const bool own = std::find(std::begin(kOwn), std::end(kOwn), field.name) != std::end(kOwn);
      const auto& out = options_.exclude;
      const bool excluded = std::find(out.begin(), out.end(), field.name) != out.end();
      if (!own && !excluded && !is_about_placement(field.name)) add_field(field);
    }
    for (const auto& [name, value] : options_.flags) {
      Flag& flag = flag_called(name);
      flag.bare = value.empty() && flag.values.empty();
      if (!value.empty()) flag.values.push_back(value);
    }
    flag_called("name").values = {item_.id()};
    for (const char* const field : {"volumes", "ports"}) {
      const JsonValue* const value = item_.fields.find(field);
      if (value != nullptr) add_field({field, *value});
    }
    if (options_.detach) flag_called("d").bare = true;
  }

  Flag& flag_called(const std::string& name) {
    const auto found = std::find_if(flags_.begin(), flags_.end(),
                                    [&](const Flag& flag) { return flag.name == name; });
    if (found != flags_.end()) return *found;
    flags_.push_back({name, {}, false});
    return flags_.back();
  }

  void add_field(const JsonField& field) {
    const JsonValue& value = field.value;
    if (value.is_null()) return;
    const std::string name = flag_name(field.name);
    if (value.boolean() != nullptr) {
      // `--no-NAME` is no flag of Docker's: `--NAME=false` is.
      Flag& flag = flag_called(name);
      flag.bare = *value.boolean();
      if (!flag.bare) flag.values = {"false"};
      return;
    }
    std::vector<std::string> values;
    if (const auto* const array = value.array()) {
      for (const JsonValue& element : *array) add_value(field.name, element, values);
    } else if (const auto* const object = value.object()) {
      add_pairs(field.name, *object, values);
    } else {
      add_value(field.name, value, values);
    }
    if (values.empty()) return;
    Flag& flag = flag_called(name);
    flag.bare = false;
    flag.values.insert(flag.values.end(), values.begin(), values.end());
  }

  void add_pairs(const std::string& field, const JsonValue::Object& object,
                 std::vector<std::string>& values) {
    if (docker_flag(field).kind != FlagKind::pairs) {
      problem(field, fmt::format("an object is no value of --{}; --exclude {} leaves it out",
                                 flag_name(field), field));
      return;
    }
    for (const JsonField& pair : object) {
      std::vector<std::string> one;
      add_value(field, pair.value, one);
      if (!one.empty()) values.push_back(pair.name + "=" + one.front());
    }
  }

  void add_value(const std::string& field, const JsonValue& value,
                 std::vector<std::string>& values) {
    std::optional<std::string> text;
    if (value.text() != nullptr) text = *value.text();
    if (value.number() != nullptr) text = canonical_number(value.number()->text);
    if (value.boolean() != nullptr) text = *value.boolean() ? "true" : "false";
    if (!text) {
      problem(field, fmt::format("{} is no value of --{}; --exclude {} leaves it out",
                                 to_text(value), flag_name(field), field));
      return;
    }
    values.push_back(as_docker_has_it(field, value, *std::move(text)));
  }

  /// A value in Docker's words, where cccf has its own.
  static std::string as_docker_has_it(std::string_view field, const JsonValue& value,
                                      std::string text) {
    if (field == "volumes" && is_bare_volume(text)) return text + ":" + text;
    const bool refers = field == "links" || docker_flag(field).field == "volumes-from";
    if (refers && text.starts_with('$')) return text.substr(1);
    if (field == "cpu") {
      // Shares are relative, as cccf's MHz are; Docker takes no less than 2.
      constexpr double kMax = 262'144;
      const auto amount = read_amount(value);
      if (amount) return fmt::format("{:.0f}", std::clamp(*amount, 2.0, kMax));
    }
    if (field == "stop_grace") {
      const auto span = read_span(value);
      if (span) return std::to_string(std::chrono::ceil<std::chrono::seconds>(*span).count());
    }
    return text;
  }

  void append_command(std::vector<std::string>& argv) {
    const auto* const image = item_.fields.find_text("image");
    if (image == nullptr || image->empty() || image->starts_with('-')) {
      problem("image", "it is no image's name");
      return;
    }
    argv.push_back(*image);
    const auto* const cmd = item_.fields.find_text("cmd");
    if (cmd == nullptr) return;
    const auto words = split_words(*cmd);
    if (!words) {
      problem("cmd", "it cannot be split into words: " + words.error().message);
      return;
    }
    argv.insert(argv.end(), words->begin(), words->end());
  }

  inline static const JsonValue::Object kNoFields;
  const CccfItem& item_;
  const InstructionOptions& options_;
  CccfDiagnostics& problems_;
  std::vector<Flag> flags_;
};

DockerInstruction instruction(DockerVerb verb, const CccfItem& item,
                              const InstructionOptions& options, CccfDiagnostics& problems) {
  DockerInstruction call{item.id(), verb, {}, {"docker"}};
  if (const auto* const host = item.fields.find("host")) call.host = host_address(*host);
  if (!call.host.empty()) call.argv.push_back("-H=" + call.host);
  call.argv.emplace_back(to_string(verb));
  if (verb == DockerVerb::run) {
    Run(item, options, problems).append_to(call.argv);
  } else if (call.id.starts_with('-')) {
    problems.push_back({CccfDiagnostic::Severity::error, "flag", item.file, item.pointer_to("id"),
                        "Docker would take this id for a flag"});
  } else {
    call.argv.push_back(call.id);
  }
  return call;
}

/// The items in the order in which a verb goes through them.
std::vector<CccfItem> in_order(DockerVerb verb, const std::vector<CccfItem>& items,
                               CccfDiagnostics& problems) {
  const auto depths = dependency_depths(items, problems);
  std::vector<std::size_t> order(items.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const bool starts = verb == DockerVerb::run || verb == DockerVerb::start;
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return starts ? depths[a] < depths[b] : depths[a] > depths[b];
  });
  std::vector<CccfItem> sorted;
  for (const std::size_t i : order) sorted.push_back(items[i]);
  return sorted;
}

}  // namespace

std::string_view to_string(DockerVerb verb) {
  switch (verb) {
    case DockerVerb::run: return "run";
    case DockerVerb::start: return "start";
    case DockerVerb::stop: return "stop";
    case DockerVerb::kill: return "kill";
    case DockerVerb::rm: return "rm";
  }
  return "";
}

std::vector<DockerInstruction> docker_instructions(DockerVerb verb, const CccfDocument& document,
                                                   const InstructionOptions& options,
                                                   CccfDiagnostics& problems) {
  const CccfDocument final = resolve(document, problems);
  std::vector<DockerInstruction> calls;
  for (const CccfItem& item : in_order(verb, final.items, problems)) {
    calls.push_back(instruction(verb, item, options, problems));
  }
  return calls;
}

std::vector<DockerInstruction> docker_instructions(const CccfDifference& difference,
                                                   const InstructionOptions& options,
                                                   CccfDiagnostics& problems) {
  CccfDocument old;
  old.items = difference.remove;
  CccfDocument fresh;
  fresh.items = difference.add;
  std::vector<DockerInstruction> calls;
  for (const auto& [verb, document] :
       {std::pair(DockerVerb::stop, &old), {DockerVerb::rm, &old}, {DockerVerb::run, &fresh}}) {
    CccfDiagnostics found;
    auto some = docker_instructions(verb, *document, options, found);
    std::move(some.begin(), some.end(), std::back_inserter(calls));
    // What stop said, rm need not say again.
    if (verb != DockerVerb::rm) problems.insert(problems.end(), found.begin(), found.end());
  }
  return calls;
}

}  // namespace shoal

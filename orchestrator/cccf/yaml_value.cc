#include "orchestrator/cccf/yaml_value.h"

#include <charconv>
#include <optional>
#include <regex>

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

namespace shoal {
namespace {

constexpr std::size_t kFieldsMax = 10'000;  // In one map; they are looked up one after the other.

/// A number of the core schema as JSON writes it; nothing for other texts.
std::optional<JsonNumber> number_in(const std::string& text) {
  static const std::regex kDecimal(R"([-+]?[0-9]+)");
  static const std::regex kFloat(R"([-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?)");
  static const std::regex kJson(R"(-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?)");
  constexpr std::size_t kDigitsMax = 300;  // <regex> recurses; no number is as long.
  if (text.empty() || text.size() > kDigitsMax) return std::nullopt;
  if (text.starts_with("0x") || text.starts_with("0o")) {
    std::uint64_t value = 0;
    const auto* const end = text.data() + text.size();
    const auto [stop, error] =
        std::from_chars(text.data() + 2, end, value, text[1] == 'x' ? 16 : 8);
    if (error != std::errc() || stop != end) return std::nullopt;
    return JsonNumber{std::to_string(value)};
  }
  if (std::regex_match(text, kJson)) return JsonNumber{text};
  if (std::regex_match(text, kDecimal)) {  // `+5`, `007`
    const bool negative = text[0] == '-';
    const auto digits = text.find_first_not_of("+-0");
    if (digits == text.npos) return JsonNumber{"0"};
    return JsonNumber{(negative ? "-" : "") + text.substr(digits)};
  }
  if (!std::regex_match(text, kFloat)) return std::nullopt;
  double value = 0;
  const std::size_t sign = text[0] == '+' ? 1 : 0;
  const auto [stop, error] = std::from_chars(text.data() + sign, text.data() + text.size(), value);
  if (error != std::errc()) return std::nullopt;
  return JsonNumber{fmt::format("{}", value)};
}

class Reader {
 public:
  explicit Reader(std::size_t values_max) : left_(values_max) {}

  Result<JsonValue> read(const YAML::Node& node, int depth) {
    if (depth > kJsonDepthMax) {
      return refuse(node.Mark(), fmt::format("it nests more than {} deep", kJsonDepthMax));
    }
    if (left_-- == 0) return refuse(node.Mark(), "its aliases write out to too many values");
    if (node.IsScalar()) return scalar(node);
    if (node.IsSequence()) return sequence(node, depth);
    if (node.IsMap()) return map(node, depth);
    return JsonValue();
  }

  static tl::unexpected<Error> refuse(const YAML::Mark& mark, std::string_view reason) {
    return fail(Errc::bad_request, fmt::format("line {}: {}", mark.line + 1, reason));
  }

 private:
  static Result<JsonValue> scalar(const YAML::Node& node) {
    const std::string& text = node.Scalar();
    if (node.Tag() != "?") return JsonValue(text);
    if (text == "true" || text == "True" || text == "TRUE") return JsonValue(true);
    if (text == "false" || text == "False" || text == "FALSE") return JsonValue(false);
    if (auto number = number_in(text)) return JsonValue(*std::move(number));
    return JsonValue(text);
  }

  Result<JsonValue> sequence(const YAML::Node& node, int depth) {
    JsonValue::Array values;
    for (const auto& element : node) {
      auto value = read(element, depth + 1);
      if (!value) return value;
      values.push_back(*std::move(value));
    }
    return JsonValue(std::move(values));
  }

  Result<JsonValue> map(const YAML::Node& node, int depth) {
    JsonValue object = JsonValue::Object();
    JsonValue merged = JsonValue::Object();
    for (const auto& entry : node) {
      if (!entry.first.IsScalar()) return refuse(entry.first.Mark(), "a key must be plain text");
      const std::string& name = entry.first.Scalar();
      auto value = read(entry.second, depth + 1);
      if (!value) return value;
      if (name == "<<" && entry.first.Tag() == "?") {
        auto done = merge(merged, *value, entry.second.Mark());
        if (!done) return tl::unexpected(done.error());
        continue;
      }
      if (object.object()->size() == kFieldsMax) {
        return refuse(entry.first.Mark(), fmt::format("a map has more than {} keys", kFieldsMax));
      }
      if (object.find(name) != nullptr) {
        return refuse(entry.first.Mark(), fmt::format("\"{}\" is there twice", name));
      }
      object.set(name, *std::move(value));
    }
    add_missing(object, merged);
    return object;
  }

  /// What is there already is not replaced: of several maps the first one counts.
  static Result<void> merge(JsonValue& into, const JsonValue& value, const YAML::Mark& mark) {
    if (const auto* const values = value.array()) {
      for (const JsonValue& one : *values) {
        auto done = merge(into, one, mark);
        if (!done) return done;
      }
      return {};
    }
    if (value.object() == nullptr) return refuse(mark, "`<<` merges maps only");
    add_missing(into, value);
    return {};
  }

  static void add_missing(JsonValue& into, const JsonValue& from) {
    for (const JsonField& field : *from.object()) {
      if (into.find(field.name) == nullptr) into.set(field.name, field.value);
    }
  }

  std::size_t left_;
};

}  // namespace

Result<JsonValue> parse_yaml(std::string_view text, std::size_t values_max) {
  try {
    const std::vector<YAML::Node> documents = YAML::LoadAll(std::string(text));
    if (documents.empty()) return JsonValue();
    if (documents.size() > 1) {
      return Reader::refuse(documents[1].Mark(), "a second YAML document begins; there may be one");
    }
    return Reader(values_max).read(documents.front(), 1);
  } catch (const YAML::Exception& error) {
    return Reader::refuse(error.mark, error.msg);
  }
}

}  // namespace shoal

#include "orchestrator/cccf/json_value.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <unordered_map>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace shoal {
namespace {

using Json = nlohmann::json;

/// Builds the tree out of the parser's events. A tree of its own, because nlohmann's loses how
/// numbers were written.
class Builder : public nlohmann::json_sax<Json> {
 public:
  bool null() override { return put({}); }
  bool boolean(bool value) override { return put(value); }
  bool number_integer(number_integer_t value) override {
    return put(JsonNumber{std::to_string(value)});
  }
  bool number_unsigned(number_unsigned_t value) override {
    return put(JsonNumber{std::to_string(value)});
  }
  bool number_float(number_float_t, const string_t& text) override { return put(JsonNumber{text}); }
  bool string(string_t& text) override { return put(std::move(text)); }
  bool binary(binary_t&) override { return false; }
  bool start_object(std::size_t) override { return open(JsonValue::Object()); }
  bool start_array(std::size_t) override { return open(JsonValue::Array()); }
  bool key(string_t& name) override {
    open_.back().name = std::move(name);
    return true;
  }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool parse_error(std::size_t, const std::string&, const Json::exception& error) override {
    // Behind the library's own `[json.exception.parse_error.101] `.
    const std::string_view what = error.what();
    const auto from = what.find("] ");
    problem_ = what.substr(from == what.npos ? 0 : from + 2);
    return false;
  }

  Result<JsonValue> take() {
    if (!problem_.empty()) return fail(Errc::bad_request, "this is no JSON: " + problem_);
    return std::move(root_);
  }

 private:
  struct Open {
    JsonValue value;
    std::string name;                                     // Of the field that comes next.
    std::unordered_map<std::string, std::size_t> places;  // Of the fields so far.
  };

  bool put(JsonValue value) {
    if (open_.empty()) {
      root_ = std::move(value);
      return true;
    }
    Open& around = open_.back();
    if (auto* const array = around.value.array()) {
      array->push_back(std::move(value));
      return true;
    }
    JsonValue::Object& fields = *around.value.object();
    const auto [place, is_new] = around.places.try_emplace(around.name, fields.size());
    if (is_new)
      fields.push_back({std::move(around.name), std::move(value)});
    else
      fields[place->second].value = std::move(value);
    return true;
  }

  bool open(JsonValue value) {
    if (open_.size() == kJsonDepthMax) {
      problem_ = fmt::format("it nests more than {} deep", kJsonDepthMax);
      return false;
    }
    open_.push_back({std::move(value), {}, {}});
    return true;
  }

  bool close() {
    JsonValue done = std::move(open_.back().value);
    open_.pop_back();
    return put(std::move(done));
  }

  std::vector<Open> open_;
  JsonValue root_;
  std::string problem_;
};

std::string quoted(const std::string& text) {
  // Texts out of YAML and of Docker may hold bytes that are no UTF-8: they become U+FFFD.
  return Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
}

bool is_plain(const JsonValue& value) {
  return value.array() == nullptr && value.object() == nullptr;
}

/// `indent` < 0: all on one line.
void write(std::string& out, const JsonValue& value, int indent) {
  const bool pretty = indent >= 0;
  const int inner = pretty ? indent + 2 : indent;
  const auto line = [&](int spaces) {
    if (!pretty) return;
    out += '\n';
    out.append(static_cast<std::size_t>(spaces), ' ');
  };
  if (value.is_null()) {
    out += "null";
  } else if (const bool* const flag = value.boolean()) {
    out += *flag ? "true" : "false";
  } else if (const auto* const number = value.number()) {
    out += number->text;
  } else if (const auto* const text = value.text()) {
    out += quoted(*text);
  } else if (const auto* const array = value.array()) {
    const bool flat = std::all_of(array->begin(), array->end(), is_plain);
    out += '[';
    for (std::size_t i = 0; i < array->size(); ++i) {
      if (i > 0) out += pretty && flat ? ", " : ",";
      if (!flat) line(inner);
      write(out, (*array)[i], inner);
    }
    if (!flat) line(indent);
    out += ']';
  } else {
    out += '{';
    const auto& fields = *value.object();
    for (std::size_t i = 0; i < fields.size(); ++i) {
      if (i > 0) out += ',';
      line(inner);
      out += quoted(fields[i].name) + (pretty ? ": " : ":");
      write(out, fields[i].value, inner);
    }
    if (!fields.empty()) line(indent);
    out += '}';
  }
}

}  // namespace

JsonValue::JsonValue() = default;
JsonValue::JsonValue(bool value) : value_(value) {}
JsonValue::JsonValue(JsonNumber number) : value_(std::move(number)) {}
JsonValue::JsonValue(std::string text) : value_(std::move(text)) {}
JsonValue::JsonValue(const char* text) : value_(std::string(text)) {}
JsonValue::JsonValue(Array values) : value_(std::move(values)) {}
JsonValue::JsonValue(Object fields) : value_(std::move(fields)) {}

JsonValue JsonValue::of(std::uint64_t number) { return JsonNumber{std::to_string(number)}; }

std::optional<std::uint64_t> JsonValue::whole() const {
  const auto* const written = number();
  if (written == nullptr) return std::nullopt;
  double value = 0;
  const auto* const end = written->text.data() + written->text.size();
  const auto [stop, error] = std::from_chars(written->text.data(), end, value);
  constexpr double kMax = 9007199254740992;  // 2^53: up to it every whole number is exact.
  if (error != std::errc() || stop != end || value < 0 || value > kMax) return std::nullopt;
  if (std::floor(value) != value) return std::nullopt;
  return static_cast<std::uint64_t>(value);
}

const JsonValue* JsonValue::find(std::string_view name) const {
  const auto* const fields = object();
  if (fields == nullptr) return nullptr;
  for (const JsonField& field : *fields) {
    if (field.name == name) return &field.value;
  }
  return nullptr;
}

const std::string* JsonValue::find_text(std::string_view name) const {
  const JsonValue* const value = find(name);
  return value == nullptr ? nullptr : value->text();
}

void JsonValue::set(std::string_view name, JsonValue value) {
  Object& fields = std::get<Object>(value_);
  for (JsonField& field : fields) {
    if (field.name != name) continue;
    field.value = std::move(value);
    return;
  }
  fields.push_back({std::string(name), std::move(value)});
}

void JsonValue::erase(std::string_view name) {
  if (auto* const fields = object()) {
    std::erase_if(*fields, [&](const JsonField& field) { return field.name == name; });
  }
}

bool JsonValue::operator==(const JsonValue&) const = default;

std::size_t count_values(const JsonValue& value) {
  std::size_t count = 1;
  if (const auto* const array = value.array()) {
    for (const JsonValue& element : *array) count += count_values(element);
  } else if (const auto* const fields = value.object()) {
    for (const JsonField& field : *fields) count += count_values(field.value);
  }
  return count;
}

Result<JsonValue> parse_json(std::string_view text) {
  Builder builder;
  static_cast<void>(Json::sax_parse(text, &builder));
  return builder.take();
}

std::string to_text(const JsonValue& value) {
  std::string out;
  write(out, value, -1);
  return out;
}

std::string to_pretty_text(const JsonValue& value) {
  std::string out;
  write(out, value, 0);
  return out;
}

std::string pointer_part(std::string_view name) {
  std::string part = "/";
  for (const char c : name) {
    if (c == '~')
      part += "~0";
    else if (c == '/')
      part += "~1";
    else
      part += c;
  }
  return part;
}

}  // namespace shoal

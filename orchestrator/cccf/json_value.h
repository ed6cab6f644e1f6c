#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "storage/error.h"

namespace shoal {

struct JsonField;

/// A number by its text, as it was written: `1e3`, `0.10` and 30 digits stay what they are.
struct JsonNumber {
  std::string text;
  bool operator==(const JsonNumber&) const = default;
};

/// A JSON value that gives back what it was read from: the order of an object's fields and the
/// text of numbers are part of it. Equal values are equal in both. (White space and the spelling of
/// escapes inside texts are not kept.)
class JsonValue {
 public:
  using Array = std::vector<JsonValue>;
  using Object = std::vector<JsonField>;  // No name twice.

  JsonValue();  // null
  JsonValue(bool value);
  JsonValue(JsonNumber number);
  JsonValue(std::string text);
  JsonValue(const char* text);
  JsonValue(Array values);
  JsonValue(Object fields);
  /// A whole number.
  [[nodiscard]] static JsonValue of(std::uint64_t number);

  [[nodiscard]] bool is_null() const { return std::holds_alternative<std::monostate>(value_); }
  // The value, if it is of that kind.
  [[nodiscard]] const bool* boolean() const { return std::get_if<bool>(&value_); }
  [[nodiscard]] const JsonNumber* number() const { return std::get_if<JsonNumber>(&value_); }
  [[nodiscard]] const std::string* text() const { return std::get_if<std::string>(&value_); }
  [[nodiscard]] std::string* text() { return std::get_if<std::string>(&value_); }
  [[nodiscard]] const Array* array() const { return std::get_if<Array>(&value_); }
  [[nodiscard]] Array* array() { return std::get_if<Array>(&value_); }
  [[nodiscard]] const Object* object() const { return std::get_if<Object>(&value_); }
  [[nodiscard]] Object* object() { return std::get_if<Object>(&value_); }

  /// The number, if it is a whole one from 0 to 2^53, however it is written (`3`, `3.0`, `3e0`).
  [[nodiscard]] std::optional<std::uint64_t> whole() const;

  /// The field of an object; null where there is none, or where this is no object.
  [[nodiscard]] const JsonValue* find(std::string_view name) const;
  /// find(), and its text if it is one.
  [[nodiscard]] const std::string* find_text(std::string_view name) const;
  /// Sets a field of an object in its place, or as the last one. This must be an object.
  void set(std::string_view name, JsonValue value);
  /// Takes a field away, if it is there.
  void erase(std::string_view name);

  bool operator==(const JsonValue&) const;

 private:
  std::variant<std::monostate, bool, JsonNumber, std::string, Array, Object> value_;
};

struct JsonField {
  std::string name;
  JsonValue value;
  bool operator==(const JsonField&) const = default;
};

/// How deeply arrays and objects may nest in what is read.
inline constexpr int kJsonDepthMax = 100;

/// Fails with bad_request: the line and column, and what was wrong there. Of a name that an object
/// has twice the last value counts, in the place of the first (as in ECMAScript, 25.5.1).
[[nodiscard]] Result<JsonValue> parse_json(std::string_view text);

/// On one line, without spaces.
[[nodiscard]] std::string to_text(const JsonValue& value);
/// For people: two spaces a level, a list of plain values on one line; no newline at the end.
[[nodiscard]] std::string to_pretty_text(const JsonValue& value);

/// How many values it is made of, itself included.
[[nodiscard]] std::size_t count_values(const JsonValue& value);

/// A JSON pointer's next part (RFC 6901): `/` and the name with `~` and `/` escaped.
[[nodiscard]] std::string pointer_part(std::string_view name);

}  // namespace shoal

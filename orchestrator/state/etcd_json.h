#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "storage/number.h"

namespace shoal {

// Small pieces of the dialect of etcd's v3 JSON gateway, for those who speak it and those who
// answer it: keys and values are base64, 64-bit integers are written as strings and read as strings
// or numbers, and a field that is zero, false or empty is left out.

/// Standard alphabet, padded (RFC 4648, 4).
[[nodiscard]] std::string base64(std::string_view bytes);
/// Nothing for what base64() does not write: another alphabet, no padding, bits behind the end.
[[nodiscard]] std::optional<std::string> from_base64(std::string_view text);

/// The first key behind all that begin with `prefix`; a byte of zero, "to the end", when there is
/// none (an empty prefix, or 0xff bytes alone).
[[nodiscard]] std::string range_end(std::string_view prefix);

/// The member `name` of a JSON object as an unsigned integer: 0 where it is missing or null,
/// nothing where it is anything else than a whole number from 0 on within 64 bits, as a number or a
/// string of digits. `Json` is nlohmann's, which headers do not include.
template <class Json>
[[nodiscard]] std::optional<std::uint64_t> json_uint64(const Json& object, const char* name) {
  const auto member = object.find(name);
  if (member == object.end() || member->is_null()) return 0;
  if (member->is_number_unsigned()) return member->template get<std::uint64_t>();
  if (!member->is_string()) return std::nullopt;
  return parse_number(member->template get_ref<const std::string&>());
}

/// The member `name` of a JSON object out of base64: empty where it is missing or null, nothing
/// where it is not base64.
template <class Json>
[[nodiscard]] std::optional<std::string> json_bytes(const Json& object, const char* name) {
  const auto member = object.find(name);
  if (member == object.end() || member->is_null()) return std::string();
  if (!member->is_string()) return std::nullopt;
  return from_base64(member->template get_ref<const std::string&>());
}

}  // namespace shoal

#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <string_view>

namespace shoal {

/// Decimal digits and nothing else, within 64 bits; nothing for any other text.
[[nodiscard]] inline std::optional<std::uint64_t> parse_number(std::string_view text) {
  std::uint64_t value = 0;
  const auto* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (text.empty() || error != std::errc() || stop != end) return std::nullopt;
  return value;
}

}  // namespace shoal

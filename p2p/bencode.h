#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace shoal {

/// Bencoded (BEP 3): `4:spam`, `i3e`. The keys of a dictionary must be in order.
[[nodiscard]] inline std::string bencoded(std::string_view text) {
  return std::to_string(text.size()) + ':' + std::string(text);
}
[[nodiscard]] inline std::string bencoded(std::uint64_t number) {
  return 'i' + std::to_string(number) + 'e';
}

}  // namespace shoal

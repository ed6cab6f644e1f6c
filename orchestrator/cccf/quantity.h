#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "orchestrator/cccf/json_value.h"

namespace shoal {

/// An amount of memory in bytes: a whole number of them, or text such as "500MB", "1.5g", "64KiB".
/// The units are powers of 1024 with or without the `i`, as cccf's scheduler and Docker have it.
[[nodiscard]] std::optional<std::uint64_t> read_bytes(const JsonValue& value);

/// A span of time: a number of seconds, or text such as "500ms", "10s", "1m30s", "1h", as Go has
/// it (`us` and `ns` are rounded up to milliseconds).
[[nodiscard]] std::optional<std::chrono::milliseconds> read_span(const JsonValue& value);

/// A number of at least zero, as a number or as text.
[[nodiscard]] std::optional<double> read_amount(const JsonValue& value);

/// A number by its value: 1, 1.0 and 1e0 have one text. Whole numbers of any length stay exact.
[[nodiscard]] std::string canonical_number(const std::string& text);

}  // namespace shoal

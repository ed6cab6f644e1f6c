#pragma once

#include <cstddef>
#include <string_view>

#include "orchestrator/cccf/json_value.h"

namespace shoal {

/// One YAML document as the JSON that it stands for, by YAML 1.2's core schema (10.3.2): plain
/// scalars that look like null, a boolean or a decimal, octal (`0o`) or hexadecimal number are
/// that; all others, and all that are quoted, are texts. The infinities and NaN stay texts. `<<`
/// merges the map or maps that it names. With aliases written out there may be `values_max` values.
/// Fails with bad_request: the line, and what is wrong there.
[[nodiscard]] Result<JsonValue> parse_yaml(std::string_view text, std::size_t values_max);

}  // namespace shoal

#pragma once

#include <string_view>

namespace shoal {

// The patterns of cccf 3.3.0 (its schema.json), as ECMAScript's regular expressions mean them:
// `\d` and `\w` are ASCII, `$` is the end and nothing else, `.` is no line terminator.

/// `^/?[a-zA-Z0-9_-]+$`
[[nodiscard]] bool is_cccf_id(std::string_view text);
/// `^\d+:\d+(\/(tcp|udp))?$`: the numbers are not looked at.
[[nodiscard]] bool is_cccf_port(std::string_view text);
/// `^\w+=.*$`
[[nodiscard]] bool is_cccf_env(std::string_view text);
/// `[^\0]+:(/[^/]+)+$`, which is not bound to the beginning
[[nodiscard]] bool is_cccf_volume(std::string_view text);
/// `^\d+$`
[[nodiscard]] bool is_cccf_expose(std::string_view text);

/// `/path` alone: the same path on both sides. In cccf's README, but not in its schema.
[[nodiscard]] bool is_bare_volume(std::string_view text);

}  // namespace shoal

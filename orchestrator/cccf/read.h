#pragma once

#include <string>
#include <string_view>

#include "orchestrator/cccf/document.h"

namespace shoal {

enum class CccfSyntax {
  automatic,  // JSON if the text begins with `[`, `{` or `"`, YAML otherwise.
  json,
  yaml,
};

/// The syntax that a file's name tells: .json, .yaml, .yml; automatic for others.
[[nodiscard]] CccfSyntax syntax_of(std::string_view file);

/// What is read at most, in bytes and, with YAML's aliases written out, in values.
inline constexpr std::size_t kCccfBytesMax = 16 << 20;
inline constexpr std::size_t kCccfValuesMax = 1'000'000;

/// Reads a document without judging it: validate_cccf() does. `file` is its name for diagnostics.
///
/// JSON is cccf's own form: an object or an array. YAML may hold the same, or a map of services by
/// id under the key `services`, of which one called `default` is no service: each of its fields
/// goes to every service that has none of that name. What stands beside `services` (`version`,
/// `swarm`) is about the file and is left out. Plain scalars are typed by YAML 1.2's core schema,
/// so that 80:80 and `no` are texts; `<<` merges.
///
/// Fails with too_large, or with bad_request: the line and what is wrong there.
[[nodiscard]] Result<CccfDocument> read_cccf(std::string_view text, std::string_view file = {},
                                             CccfSyntax syntax = CccfSyntax::automatic);

}  // namespace shoal

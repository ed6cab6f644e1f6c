#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <catch2/catch.hpp>

#include "orchestrator/cccf/read.h"

namespace shoal {

inline CccfDocument document_of(std::string_view text, std::string_view file = {}) {
  auto read = read_cccf(text, file);
  INFO(text);
  INFO((read ? std::string() : read.error().message));
  REQUIRE(read);
  return *std::move(read);
}

inline JsonValue json_of(std::string_view text) {
  auto value = parse_json(text);
  INFO(text);
  REQUIRE(value);
  return *std::move(value);
}

inline std::vector<std::string> ids_of(const std::vector<CccfItem>& items) {
  std::vector<std::string> ids;
  for (const CccfItem& item : items) ids.push_back(item.id());
  return ids;
}

/// `CHECK pointer` of each, for short comparisons.
inline std::vector<std::string> brief(const CccfDiagnostics& diagnostics) {
  std::vector<std::string> lines;
  for (const CccfDiagnostic& one : diagnostics) lines.push_back(one.check + " " + one.pointer);
  return lines;
}

using Lines = std::vector<std::string>;

}  // namespace shoal

#include "orchestrator/engine/engine_info.h"

#include <algorithm>
#include <charconv>
#include <compare>
#include <optional>

#include <fmt/format.h>

namespace shoal {
namespace {

struct ApiVersion {
  int major = 0;
  int minor = 0;
  auto operator<=>(const ApiVersion&) const = default;
};

constexpr ApiVersion kOurs{1, 41};    // Docker 20.10, podman 3 and later.
constexpr ApiVersion kOldest{1, 24};  // Before it, labels and filters are others.

std::optional<ApiVersion> parse(std::string_view text) {
  ApiVersion version;
  const auto dot = text.find('.');
  if (dot == std::string_view::npos) return std::nullopt;
  const auto number = [](std::string_view part, int& value) {
    const auto* const end = part.data() + part.size();
    const auto [last, error] = std::from_chars(part.data(), end, value);
    return error == std::errc() && last == end && value >= 0;
  };
  if (!number(text.substr(0, dot), version.major)) return std::nullopt;
  if (!number(text.substr(dot + 1), version.minor)) return std::nullopt;
  return version;
}

}  // namespace

const char* to_string(EngineKind kind) { return kind == EngineKind::docker ? "docker" : "podman"; }

Result<std::string> negotiate(std::string_view newest, std::string_view oldest) {
  const auto high = parse(newest);
  if (!high || *high < kOldest) {
    return fail(Errc::unsupported,
                fmt::format("the engine speaks version `{}` of the API; shoal needs at least {}.{}",
                            newest, kOldest.major, kOldest.minor));
  }
  // An engine of the future may have dropped ours. The calls we make have not changed since.
  const auto low = parse(oldest).value_or(kOldest);
  const auto chosen = std::max(std::min(kOurs, *high), std::min(low, *high));
  return fmt::format("{}.{}", chosen.major, chosen.minor);
}

}  // namespace shoal

#include "orchestrator/placement/platform.h"

#include <vector>

#include <fmt/format.h>

namespace shoal {

std::string Platform::text() const {
  return variant.empty() ? fmt::format("{}/{}", os, architecture)
                         : fmt::format("{}/{}/{}", os, architecture, variant);
}

Result<Platform> Platform::parse(std::string_view text) {
  std::vector<std::string> parts(1);
  for (const char c : text) {
    if (c == '/')
      parts.emplace_back();
    else
      parts.back() += c;
  }
  bool sound = parts.size() == 2 || parts.size() == 3;
  for (const auto& part : parts) sound = sound && !part.empty();
  if (!sound) {
    return fail(Errc::usage, fmt::format("`{}` is no platform such as linux/amd64", text));
  }
  parts.resize(3);
  return Platform{parts[0], parts[1], parts[2]};
}

bool runs_on(const Platform& wanted, const Platform& have) {
  if (!wanted.known() || !have.known()) return true;
  return wanted.os == have.os && wanted.architecture == have.architecture &&
         (wanted.variant.empty() || have.variant.empty() || wanted.variant == have.variant);
}

}  // namespace shoal

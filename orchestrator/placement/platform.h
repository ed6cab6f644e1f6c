#pragma once

#include <string>
#include <string_view>

#include "storage/error.h"

namespace shoal {

/// What programs run on, in OCI's names: `linux/amd64`, `linux/arm64/v8`.
struct Platform {
  std::string os;
  std::string architecture;
  std::string variant;  // Often empty.

  [[nodiscard]] bool known() const { return !os.empty(); }
  [[nodiscard]] std::string text() const;
  /// Fails with usage on anything but two or three names with slashes between them.
  [[nodiscard]] static Result<Platform> parse(std::string_view text);

  bool operator==(const Platform&) const = default;
};

/// Whether something for `wanted` runs on `have`. What is not known hinders nothing.
[[nodiscard]] bool runs_on(const Platform& wanted, const Platform& have);

}  // namespace shoal

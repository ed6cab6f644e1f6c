#pragma once

#include <string>
#include <string_view>

#include "storage/error.h"

namespace shoal {

/// What lets a node into the cluster: whom to trust at the first contact, and a secret that the
/// cluster can check. Its text is `shoal1.` and 80 letters of base64url: one word for a double
/// click. A check sum in it tells a text that was cut or mistyped from one that is refused.
struct JoinToken {
  std::string authority_sha256;  // Of the cluster's authority, 64 hex digits.
  std::string id;                // Names it in the cluster's state: 16 hex digits, no secret.
  std::string secret;            // 16 random bytes: never in logs, nor in the state.

  /// Fails with usage: the message says what is wrong with the text, without repeating it.
  [[nodiscard]] static Result<JoinToken> parse(std::string_view text);
  /// With an id and a secret of its own. Fails with io.
  [[nodiscard]] static Result<JoinToken> make(const std::string& authority_sha256);

  [[nodiscard]] std::string text() const;

  bool operator==(const JoinToken&) const = default;
};

}  // namespace shoal

#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "storage/digest.h"
#include "storage/name.h"

namespace shoal {

/// What an engine calls an image of ours: `127.0.0.1:PORT/REPOSITORY@sha256:...`, the same on every
/// host, because a node serves it on every host. By digest, so that no tag can drift; by address,
/// because `localhost` may mean ::1 first, where engines have hung.
struct ImageReference {
  std::uint16_t port = 5000;  // Of the node's registry on loopback.
  Repository repository;      // `app/web`, `quay.io/x/y`.
  Digest digest;              // Of the manifest or index.

  /// `127.0.0.1:5000/app/web`.
  [[nodiscard]] std::string name() const;
  /// With the digest.
  [[nodiscard]] std::string text() const;
  /// Out of text(). Fails with bad_request.
  [[nodiscard]] static Result<ImageReference> parse(std::string_view text);
};

}  // namespace shoal

#pragma once

#include <string>

#include "orchestrator/cccf/document.h"
#include "storage/digest.h"

namespace shoal {

/// The one form of all spellings that mean the same container (docs/cccf.md, "The canonical form"):
/// names sorted; `scale` and `host` left out; the id without its `/`, the image with its tag and
/// without docker.io; env, ports, volumes, labels and other sets sorted, without repetitions and
/// with defaults left out; cmd in words; memory in bytes; numbers by value; fields that are empty
/// left out; one name for what has several (`p`, `publish` and `ports`).
[[nodiscard]] JsonValue canonical(const JsonValue& fields);

/// SHA-256 of the canonical form's text: equal for containers that need not be replaced by each
/// other.
[[nodiscard]] Digest spec_hash(const JsonValue& fields);

/// An image's name with its tag or digest (a port of a registry is no tag): `app` is `app:latest`,
/// `docker.io/library/app` is `app:latest`, `app:1@sha256:...` is `app@sha256:...`.
[[nodiscard]] std::string canonical_image(const std::string& image);

}  // namespace shoal

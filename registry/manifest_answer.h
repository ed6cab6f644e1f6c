#pragma once

#include "registry/http/message.h"
#include "storage/manifests.h"

namespace shoal {

/// What a HEAD for a manifest is answered, with conditions. `immutable`: it was asked for by its
/// digest, so the answer may be kept.
[[nodiscard]] Response describe_manifest(const ManifestInfo& info, const Request& request,
                                         bool immutable);

/// The same for a GET.
[[nodiscard]] Response answer_manifest(const Manifests::Stored& stored, const Request& request,
                                       bool immutable);

/// A failure to read one: quarantined content is not there any more, and here that means a
/// manifest.
[[nodiscard]] Response manifest_failure(const Error& error);

}  // namespace shoal

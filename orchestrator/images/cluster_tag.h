#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "storage/clock.h"
#include "storage/digest.h"
#include "storage/error.h"

namespace shoal {

/// What a tag names for the whole cluster: the value of its key in the state, about 200 bytes.
struct ClusterTag {
  Digest digest;
  std::string media_type;
  std::uint64_t size = 0;  // Bytes of the manifest.
  std::string pushed_by;   // Node id: it held the manifest, and all that it names, at that time.
  UnixTime pushed{};
};

[[nodiscard]] std::string encode(const ClusterTag& tag);
/// Tolerates unknown fields. Fails with corrupt; `key` is for the message.
[[nodiscard]] Result<ClusterTag> decode_cluster_tag(std::string_view key, std::string_view value);

}  // namespace shoal

#pragma once

#include <cstdint>
#include <memory>

#include <boost/asio/thread_pool.hpp>

#include "registry/http/message.h"
#include "storage/blobs.h"

namespace shoal {

/// What a HEAD for a blob is answered, with conditions.
[[nodiscard]] Response describe_blob(const BlobInfo& info, const Request& request);

/// What a GET for a blob is answered: all of it or the ranges asked for, multipart/byteranges
/// included, at most `ranges_max` (above: 400), with conditions. The body reads on `pool`, which
/// must outlive it.
[[nodiscard]] Response answer_blob(std::shared_ptr<BlobReader> reader, const Request& request,
                                   std::uint32_t ranges_max, asio::thread_pool& pool);

}  // namespace shoal

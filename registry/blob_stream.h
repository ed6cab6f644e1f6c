#pragma once

#include <memory>
#include <string>
#include <vector>

#include <boost/asio/thread_pool.hpp>

#include "registry/http/message.h"
#include "registry/range.h"
#include "storage/blobs.h"

namespace shoal {

/// One stretch of a blob and the bytes to send before it: the head of a part in a multipart answer.
struct BlobPart {
  std::string head;
  ByteRange range;
};

/// The stretches of a blob, one after the other, as a response body. What is in memory is sent as
/// it is; disk and net are read on the pool, up to 1 MiB at a time (less when it comes slowly), the
/// next piece while the last one is sent. Never more than two pieces are held, since clients leave
/// in mid-body as a matter of course.
[[nodiscard]] std::unique_ptr<ResponseBody> stream_blob(std::shared_ptr<BlobReader> reader,
                                                        std::vector<BlobPart> parts,
                                                        std::string tail, asio::thread_pool& pool,
                                                        asio::any_io_executor executor);

}  // namespace shoal

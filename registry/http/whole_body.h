#pragma once

#include <cstdint>
#include <string>

#include <boost/asio/awaitable.hpp>

#include "registry/http/message.h"

namespace shoal {

/// A request's body in one piece, for documents; contents are read in pieces. Fails with too_large
/// when it has more than `bytes_max` bytes, otherwise as RequestBody::read(). Takes memory as the
/// bytes arrive, whatever length was announced. `body` must live until it is read.
[[nodiscard]] asio::awaitable<Result<std::string>> read_whole(RequestBody& body,
                                                              std::uint64_t bytes_max);

}  // namespace shoal

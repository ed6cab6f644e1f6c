#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <boost/asio/awaitable.hpp>

#include "registry/http/client.h"
#include "registry/http/message.h"

namespace shoal {

/// A request's body, at most `bytes_max` of it. Fails with too_large and as RequestBody::read().
/// `body` must live until it is read.
[[nodiscard]] asio::awaitable<Result<std::string>> read_whole(RequestBody& body,
                                                              std::size_t bytes_max);

/// 200 with a JSON text that nobody keeps.
[[nodiscard]] Response json_answer(std::string json);

/// What a member says in an error document (registry/error_response.h), or what its status is.
[[nodiscard]] std::string refusal_text(const HttpAnswer& answer);

}  // namespace shoal

#pragma once

#include <string>
#include <string_view>

#include "registry/http/client.h"
#include "registry/http/message.h"

namespace shoal {

/// 200 with a JSON text that nobody keeps.
[[nodiscard]] Response json_answer(std::string json);

/// What a member says in an error document (registry/error_response.h), or what its status is.
[[nodiscard]] std::string refusal_text(const HttpAnswer& answer);

}  // namespace shoal

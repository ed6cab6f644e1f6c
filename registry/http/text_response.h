#pragma once

#include <string>

#include "registry/http/message.h"

namespace shoal {

/// An answer in plain text, which nobody keeps. A line's end is put behind it if there is none.
[[nodiscard]] Response text_response(int status, std::string text);

}  // namespace shoal

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "registry/http/message.h"

namespace shoal {

/// How a response travels: what the session adds to the handler's headers.
struct Framing {
  std::optional<std::uint64_t> content_length;
  bool chunked = false;
  bool close = false;
  bool upgrade = false;  // Instead of all these.
  bool http10 = false;   // Such a client has to be told that the connection stays.
};

/// Writes status line, headers and the empty line into `head`, whose memory is used again. Line
/// breaks and NUL in header values become blanks, so that no value can start a header of its own.
void write_response_head(std::string& head, const Response& response, const Framing& framing,
                         std::string_view date);

/// Whether a response of this status has no body, whatever the request (RFC 9110, 6.4.1).
[[nodiscard]] bool is_bodiless(int status);

}  // namespace shoal

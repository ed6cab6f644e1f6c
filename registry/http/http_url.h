#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace shoal {

/// Where a URL of a server leads.
struct HttpUrl {
  std::string host;  // Without brackets.
  std::string port;
  std::string authority;  // As the URL has it: the Host header.
  bool tls = false;
};

/// `http://HOST:PORT` or `https://HOST:PORT`, the port 80 or 443 if left out, perhaps with a slash
/// behind it; nothing for anything else.
[[nodiscard]] std::optional<HttpUrl> parse_http_url(std::string_view url);

}  // namespace shoal

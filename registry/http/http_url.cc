#include "registry/http/http_url.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "registry/http/message.h"

namespace shoal {

std::optional<HttpUrl> parse_http_url(std::string_view url) {
  const auto begins = [&](std::string_view scheme) {
    return equal_without_case(url.substr(0, scheme.size()), scheme);
  };
  constexpr std::string_view kPlain = "http://";
  constexpr std::string_view kTls = "https://";
  const bool tls = begins(kTls);
  if (!tls && !begins(kPlain)) return std::nullopt;
  url.remove_prefix(tls ? kTls.size() : kPlain.size());
  if (url.ends_with('/')) url.remove_suffix(1);
  const auto is_odd = [](unsigned char c) { return c <= ' ' || std::strchr("/?#@", c) != nullptr; };
  if (url.empty() || std::any_of(url.begin(), url.end(), is_odd)) return std::nullopt;

  HttpUrl address{std::string(url), tls ? "443" : "80", std::string(url), tls};
  const auto colon = url.rfind(':');
  const bool has_port = colon != std::string_view::npos && !url.ends_with(']');
  if (has_port) {
    const auto port = url.substr(colon + 1);
    unsigned number = 0;
    const auto end = std::from_chars(port.data(), port.data() + port.size(), number).ptr;
    if (port.empty() || end != port.data() + port.size() || number > 65535) return std::nullopt;
    address.port = port;
    address.host = url.substr(0, colon);
  }
  auto& host = address.host;
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  if (host.empty()) return std::nullopt;
  return address;
}

}  // namespace shoal

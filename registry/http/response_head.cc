#include "registry/http/response_head.h"

#include <algorithm>
#include <charconv>

#include <boost/beast/http/status.hpp>

namespace shoal {
namespace {

void append_number(std::string& text, std::uint64_t number) {
  char digits[20];
  const auto end = std::to_chars(std::begin(digits), std::end(digits), number).ptr;
  text.append(digits, end);
}

void append_field(std::string& head, std::string_view name, std::string_view value) {
  head.append(name).append(": ");
  const auto start = static_cast<std::ptrdiff_t>(head.size());
  head.append(value);
  const auto breaks = [](char c) { return c == '\r' || c == '\n' || c == '\0'; };
  std::replace_if(head.begin() + start, head.end(), breaks, ' ');
  head.append("\r\n");
}

}  // namespace

bool is_bodiless(int status) { return status < 200 || status == 204 || status == 304; }

void write_response_head(std::string& head, const Response& response, const Framing& framing,
                         std::string_view date) {
  namespace http = boost::beast::http;
  const auto status = static_cast<unsigned>(response.status);
  const auto reason = http::obsolete_reason(http::int_to_status(status));

  head.assign("HTTP/1.1 ");
  append_number(head, status);
  head.append(" ").append(reason.data(), reason.size()).append("\r\n");
  for (std::size_t i = 0; i < response.headers.size(); ++i) {
    const auto field = response.headers.field(i);
    append_field(head, field.name, field.value);
  }
  head.append("Date: ").append(date).append("\r\n");
  if (framing.chunked) head.append("Transfer-Encoding: chunked\r\n");
  if (framing.content_length) {
    head.append("Content-Length: ");
    append_number(head, *framing.content_length);
    head.append("\r\n");
  }
  if (framing.upgrade) {
    head.append("Connection: Upgrade\r\n");
  } else if (framing.close) {
    head.append("Connection: close\r\n");
  } else if (framing.http10) {
    head.append("Connection: keep-alive\r\n");
  }
  head.append("\r\n");
}

}  // namespace shoal

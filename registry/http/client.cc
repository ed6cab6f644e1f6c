#include "registry/http/client.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "registry/http/client_link.h"
#include "registry/http/http_url.h"
#include "registry/http/response_parser.h"

namespace shoal {
namespace {

constexpr std::size_t kReadBytes = 64 << 10;
constexpr std::size_t kJoinedBytes = 16 << 10;  // A body up to this leaves together with its head.

}  // namespace

struct HttpClient::Impl {
  enum class Framing {
    none,    // No body, or it is over.
    length,  // `remaining` more bytes.
    chunked,
    to_end,  // Of the connection.
  };

  /// Sends a request and reads the answer's head.
  [[nodiscard]] Result<void> begin(std::string_view method, std::string_view target,
                                   const Headers& its_headers, std::string_view body,
                                   bool patient = false);
  [[nodiscard]] Result<void> connect();
  /// False if the connection ended before anything came.
  [[nodiscard]] Result<bool> read_head(bool headers_only);
  /// Receives more into `incoming`; 0 at the end of the connection.
  [[nodiscard]] Result<std::size_t> receive();

  /// The next bytes of the body, as many as are there; 0 at its end.
  [[nodiscard]] Result<std::size_t> read_some(std::span<char> buffer);
  [[nodiscard]] Result<std::size_t> read_some_plain(std::span<char> buffer);
  [[nodiscard]] Result<std::size_t> read_some_chunked(std::span<char> buffer);
  /// More of the body may come, and nobody knows how much.
  [[nodiscard]] bool open_ended() const {
    return framing == Framing::chunked || framing == Framing::to_end || !parsed.empty();
  }
  void end_body();
  /// Ends the connection if the body is not over.
  void drop_body();
  [[nodiscard]] tl::unexpected<Error> broken_off();

  HttpUrl address;
  std::shared_ptr<TlsContext> tls;
  std::unique_ptr<ClientLink> link;

  // The last answer.
  int status = 0;
  Headers headers;
  std::optional<ResponseParser> parser;
  Framing framing = Framing::none;
  std::uint64_t remaining = 0;
  bool keep = false;             // The connection can be used again once the body is over.
  std::optional<Error> failure;  // The body's.
  std::string incoming;          // Received and not yet parsed.
  std::string parsed;            // Of a chunked body, and not yet taken.
};

HttpClient::HttpClient(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpClient::~HttpClient() = default;
HttpClient::HttpClient(HttpClient&&) noexcept = default;
HttpClient& HttpClient::operator=(HttpClient&&) noexcept = default;

Result<HttpClient> HttpClient::to(std::string_view url, std::chrono::seconds progress_timeout) {
  HttpClientConfig config;
  config.progress_timeout = progress_timeout;
  return to(url, std::move(config));
}

Result<HttpClient> HttpClient::to(std::string_view url, HttpClientConfig config) {
  auto address = parse_http_url(url);
  if (!address) {
    return fail(Errc::usage, fmt::format("`{}` is not the address of a node: write it like "
                                         "http://127.0.0.1:5000",
                                         url));
  }
  auto impl = std::make_unique<Impl>();
  impl->address = std::move(*address);
  ClientLinkConfig link;
  link.host = impl->address.host;
  link.port = impl->address.port;
  link.authority = impl->address.authority;
  link.timeout = config.progress_timeout;
  link.dead_after = config.dead_after;
  if (impl->address.tls) {
    impl->tls = std::move(config.tls);
    if (!impl->tls) {
      auto context = TlsContext::client({});
      if (!context) return tl::unexpected(context.error());
      impl->tls = *std::move(context);
    }
    link.peer = !config.peer.empty() || impl->tls->pinned() ? config.peer : link.host;
  }
  auto opened = ClientLink::to(std::move(link));
  if (!opened) return tl::unexpected(opened.error());
  impl->link = *std::move(opened);
  return HttpClient(std::move(impl));
}

Result<void> HttpClient::Impl::connect() {
  incoming.clear();
  return link->connect(tls ? tls->current() : nullptr);
}

tl::unexpected<Error> HttpClient::Impl::broken_off() {
  return link->give_up(Errc::io, "the answer broke off");
}

Result<std::size_t> HttpClient::Impl::receive() {
  const std::size_t kept = incoming.size();
  incoming.resize(kept + kReadBytes);
  auto count = link->read(std::span<char>(incoming).subspan(kept));
  incoming.resize(kept + count.value_or(0));
  return count;
}

Result<void> HttpClient::Impl::begin(std::string_view method, std::string_view target,
                                     const Headers& its_headers, std::string_view body,
                                     bool patient) {
  std::string head =
      fmt::format("{} {} HTTP/1.1\r\nHost: {}\r\n", method, target, address.authority);
  for (const auto& field : its_headers.fields()) {
    head += fmt::format("{}: {}\r\n", field.name, field.value);
  }
  const bool has_body = !body.empty() || method == "POST" || method == "PUT" || method == "PATCH";
  const bool framed = its_headers.find("Content-Length") || its_headers.find("Transfer-Encoding");
  if (has_body && !framed) head += fmt::format("Content-Length: {}\r\n", body.size());
  head += "\r\n";
  if (body.size() <= kJoinedBytes) head += std::exchange(body, {});

  drop_body();
  failure.reset();
  parsed.clear();
  for (bool reused = link->alive();; reused = false) {
    link->set_patient(false);
    if (!reused) {
      if (auto connected = connect(); !connected) return connected;
    }
    link->set_patient(patient);
    auto written = link->write(head);
    if (written) written = link->write(body);
    if (!written && written.error().code != Errc::io) return written;
    const auto came = read_head(method == "HEAD");
    if (!came) return tl::unexpected(came.error());
    if (!*came) {
      link->close();
      if (reused) continue;
      return link->give_up(Errc::io, "the connection was closed without an answer");
    }
    keep = keep && written;
    if (framing == Framing::none) end_body();
    return {};
  }
}

Result<bool> HttpClient::Impl::read_head(bool headers_only) {
  using Step = ResponseParser::Step;
  parser.emplace(headers_only, status, headers, parsed);
  bool any = false;
  for (;;) {
    const auto count = receive();
    if (!count) return tl::unexpected(count.error());
    if (*count == 0) {
      if (!any) return false;
      return broken_off();
    }
    any = true;
    std::size_t used = 0;
    const Step step = parser->parse(incoming, used);
    incoming.erase(0, used);
    if (step == Step::broken) return link->give_up(Errc::io, "the answer is not HTTP");
    if (step == Step::more) continue;

    framing = Framing::none;
    remaining = 0;
    keep = parser->keep_alive();
    if (step == Step::done) return true;
    const auto length = parser->body_length();
    framing = length ? Framing::length : Framing::to_end;
    if (parser->chunked()) framing = Framing::chunked;
    remaining = length.value_or(0);
    return true;
  }
}

void HttpClient::Impl::end_body() {
  framing = Framing::none;
  // What follows an answer that nobody asked for is not for the next request.
  if (!keep || !incoming.empty()) link->close();
}

void HttpClient::Impl::drop_body() {
  if (framing == Framing::none) return;
  framing = Framing::none;
  link->close();
}

Result<std::size_t> HttpClient::Impl::read_some(std::span<char> buffer) {
  if (failure) return tl::unexpected(*failure);
  Result<std::size_t> count = 0;
  if (framing == Framing::chunked || !parsed.empty()) {
    count = read_some_chunked(buffer);
  } else if (framing != Framing::none) {
    count = read_some_plain(buffer);
  }
  if (!count) {
    failure = count.error();
    framing = Framing::none;
  }
  return count;
}

Result<std::size_t> HttpClient::Impl::read_some_plain(std::span<char> buffer) {
  const bool measured = framing == Framing::length;
  if (measured && remaining < buffer.size()) {
    buffer = buffer.first(static_cast<std::size_t>(remaining));
  }
  std::size_t count = std::min(incoming.size(), buffer.size());
  if (count > 0) {
    std::memcpy(buffer.data(), incoming.data(), count);
    incoming.erase(0, count);
  } else {
    const auto came = link->read(buffer);
    if (!came) return came;
    count = *came;
  }
  const bool ended = count == 0;
  if (ended && (measured || !link->ended_in_order())) return broken_off();
  if (measured) remaining -= count;
  if (ended || (measured && remaining == 0)) end_body();
  return count;
}

Result<std::size_t> HttpClient::Impl::read_some_chunked(std::span<char> buffer) {
  using Step = ResponseParser::Step;
  while (parsed.empty() && framing != Framing::none) {
    std::size_t used = 0;
    const Step step = parser->parse(incoming, used);
    incoming.erase(0, used);
    if (step == Step::broken) return link->give_up(Errc::io, "the answer is not HTTP");
    if (step == Step::done) end_body();
    if (step == Step::done || !parsed.empty()) break;
    const auto count = receive();
    if (!count) return count;
    if (*count == 0) return broken_off();
  }
  const std::size_t count = std::min(parsed.size(), buffer.size());
  std::memcpy(buffer.data(), parsed.data(), count);
  parsed.erase(0, count);
  return count;
}

Result<HttpAnswer> HttpClient::send(std::string_view method, std::string_view target,
                                    const Headers& headers, std::string_view body,
                                    std::uint64_t body_bytes_max) {
  if (auto begun = impl_->begin(method, target, headers, body); !begun) {
    return tl::unexpected(begun.error());
  }
  HttpAnswer answer;
  answer.status = impl_->status;
  answer.headers = std::exchange(impl_->headers, {});
  auto& text = answer.body;
  bool fits = impl_->remaining <= body_bytes_max;
  for (std::size_t filled = 0; fits;) {
    std::uint64_t step = std::max(kReadBytes, filled);  // What is announced may never come.
    if (!impl_->open_ended()) step = std::min(step, impl_->remaining);
    text.resize(filled + static_cast<std::size_t>(step));
    const auto count = impl_->read_some(std::span<char>(text).subspan(filled));
    if (!count) return tl::unexpected(count.error());
    filled += *count;
    fits = filled <= body_bytes_max;
    if (*count > 0) continue;
    text.resize(filled);
    return answer;
  }
  impl_->drop_body();
  return fail(Errc::too_large, fmt::format("{}: the answer is larger than {} bytes",
                                           impl_->address.authority, body_bytes_max));
}

Result<int> HttpClient::stream_lines(std::string_view method, std::string_view target,
                                     const std::function<bool(std::string_view)>& line,
                                     std::string_view body, const Headers& headers, bool patient) {
  if (auto begun = impl_->begin(method, target, headers, body, patient); !begun) {
    return tl::unexpected(begun.error());
  }
  std::string partial;
  std::vector<char> piece(kReadBytes);
  for (bool wanted = true; wanted;) {
    const auto count = impl_->read_some(piece);
    if (!count) return tl::unexpected(count.error());
    if (*count == 0) {
      if (!partial.empty()) line(partial);
      return impl_->status;
    }
    // A line that comes in many pieces is searched once.
    std::size_t from = partial.size();
    partial.append(piece.data(), *count);
    std::size_t start = 0;
    for (auto end = partial.find('\n', from); wanted && end != std::string::npos;
         end = partial.find('\n', start)) {
      std::string_view whole = std::string_view(partial).substr(start, end - start);
      if (whole.ends_with('\r')) whole.remove_suffix(1);
      wanted = line(whole);
      start = end + 1;
    }
    partial.erase(0, start);
  }
  impl_->drop_body();
  return impl_->status;
}

Result<HttpClient::Head> HttpClient::open(std::string_view method, std::string_view target,
                                          const Headers& headers, std::string_view body) {
  if (auto begun = impl_->begin(method, target, headers, body); !begun) {
    return tl::unexpected(begun.error());
  }
  return Head{impl_->status, impl_->headers};
}

Result<std::size_t> HttpClient::read_body(std::span<char> buffer) {
  std::size_t filled = 0;
  while (filled < buffer.size()) {
    const auto count = impl_->read_some(buffer.subspan(filled));
    if (!count) return count;
    if (*count == 0) break;
    filled += *count;
  }
  return filled;
}

void HttpClient::interrupt() { impl_->link->interrupt(); }

}  // namespace shoal

#include "orchestrator/engine/http_exchange.h"

#include <array>
#include <optional>
#include <utility>

#include <fmt/format.h>
#include <boost/asio/connect.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include "registry/http/response_parser.h"

namespace shoal {
namespace {

using boost::system::error_code;
using Stream = asio::generic::stream_protocol;

constexpr std::size_t kReadBytes = 64 << 10;
constexpr std::size_t kSocketPathMax = 107;  // sun_path of unix(7), with its terminating null.

/// A socket whose operations end when nothing happens for a while.
class Line : public std::enable_shared_from_this<Line> {
 public:
  Line(asio::any_io_executor executor, StreamAddress address, std::chrono::milliseconds patience)
      : address_(std::move(address)), patience_(patience), socket_(executor), timer_(executor) {}

  [[nodiscard]] asio::awaitable<Result<void>> connect();
  [[nodiscard]] asio::awaitable<Result<void>> write(std::string_view text);
  /// 0 at the end of the connection.
  [[nodiscard]] asio::awaitable<Result<std::size_t>> read(asio::mutable_buffer buffer);

  void set_patience(std::chrono::milliseconds patience) { patience_ = patience; }
  void interrupt() {
    interrupted_ = true;
    close();
  }
  void close() {
    error_code ignored;
    disarm();
    socket_.close(ignored);
  }
  [[nodiscard]] tl::unexpected<Error> failure(Errc code, const std::string& what) const {
    return fail(code, fmt::format("{}: {}", address_.text(), what));
  }

 private:
  void arm();
  void disarm() {
    ++turn_;
    timer_.cancel();
  }
  /// Why the operation that ended with `error` ended.
  [[nodiscard]] tl::unexpected<Error> failure(const error_code& error, Errc code) const;

  const StreamAddress address_;
  std::chrono::milliseconds patience_;
  Stream::socket socket_;
  asio::steady_timer timer_;
  std::uint64_t turn_ = 0;  // Of the timer: a handler of an earlier one says nothing.
  bool timed_out_ = false;
  bool interrupted_ = false;
};

void Line::arm() {
  timer_.expires_after(patience_);
  timer_.async_wait([weak = weak_from_this(), turn = ++turn_](const error_code& error) {
    const auto self = weak.lock();
    if (error || !self || self->turn_ != turn) return;
    self->timed_out_ = true;
    self->close();
  });
}

tl::unexpected<Error> Line::failure(const error_code& error, Errc code) const {
  if (interrupted_) return failure(Errc::unavailable, "interrupted");
  if (timed_out_) {
    return failure(Errc::timed_out, fmt::format("no answer for {} ms", patience_.count()));
  }
  return failure(code, error.message());
}

asio::awaitable<Result<void>> Line::connect() {
  error_code error;
  std::optional<Stream::endpoint> endpoint;
  if (!address_.path.empty()) {
    if (address_.path.size() > kSocketPathMax) {
      co_return failure(Errc::usage, "the path of a unix socket has at most 107 bytes");
    }
    endpoint = asio::local::stream_protocol::endpoint(address_.path);
  } else {
    const auto host = asio::ip::make_address(address_.host, error);
    if (error) co_return failure(Errc::usage, "not an IP address");
    endpoint = asio::ip::tcp::endpoint(host, address_.port);
  }
  if (interrupted_) co_return failure(error, Errc::unavailable);
  arm();
  co_await socket_.async_connect(*endpoint, asio::redirect_error(asio::use_awaitable, error));
  disarm();
  if (error) co_return failure(error, Errc::unavailable);
  if (interrupted_) co_return failure(error, Errc::unavailable);
  co_return Result<void>();
}

asio::awaitable<Result<void>> Line::write(std::string_view text) {
  error_code error;
  while (!text.empty()) {
    arm();
    const std::size_t count = co_await socket_.async_write_some(
        asio::buffer(text), asio::redirect_error(asio::use_awaitable, error));
    disarm();
    if (error) co_return failure(error, Errc::io);
    text.remove_prefix(count);
  }
  co_return Result<void>();
}

asio::awaitable<Result<std::size_t>> Line::read(asio::mutable_buffer buffer) {
  error_code error;
  arm();
  const std::size_t count =
      co_await socket_.async_read_some(buffer, asio::redirect_error(asio::use_awaitable, error));
  disarm();
  if (error == asio::error::eof || error == asio::error::connection_reset) co_return 0;
  if (error) co_return failure(error, Errc::io);
  co_return count;
}

}  // namespace

std::string StreamAddress::text() const {
  return path.empty() ? fmt::format("{}:{}", host, port) : path;
}

asio::awaitable<Result<void>> try_connect(asio::any_io_executor executor, StreamAddress address,
                                          std::chrono::milliseconds patience,
                                          Interrupt* interrupt) {
  const auto line = std::make_shared<Line>(std::move(executor), std::move(address), patience);
  const Interrupt::Guard guard(interrupt, [line] { line->interrupt(); });
  auto connected = co_await line->connect();
  line->close();
  co_return connected;
}

struct HttpExchange::Impl {
  Impl(asio::any_io_executor executor, StreamAddress address, std::chrono::milliseconds patience)
      : line(std::make_shared<Line>(std::move(executor), std::move(address), patience)) {}

  using Step = ResponseParser::Step;
  /// Receives more and parses it. `done` at the end of the body, also where the connection's end is
  /// what marks it.
  [[nodiscard]] asio::awaitable<Result<Step>> advance();

  std::shared_ptr<Line> line;
  HttpClient::Head head;
  std::string body;  // Received and not yet taken.
  std::optional<ResponseParser> parser;
  std::string incoming;  // Received and not yet parsed.
  bool has_head = false;
  bool done = false;
  bool sent = false;
};

HttpExchange::HttpExchange(asio::any_io_executor executor, StreamAddress address,
                           std::chrono::milliseconds patience, Interrupt* interrupt)
    : impl_(std::make_shared<Impl>(std::move(executor), std::move(address), patience)),
      guard_(interrupt, [line = impl_->line] { line->interrupt(); }) {}

HttpExchange::~HttpExchange() { impl_->line->close(); }

bool HttpExchange::sent() const { return impl_->sent; }

void HttpExchange::set_patience(std::chrono::milliseconds patience) {
  impl_->line->set_patience(patience);
}

asio::awaitable<Result<HttpExchange::Impl::Step>> HttpExchange::Impl::advance() {
  const std::size_t kept = incoming.size();
  incoming.resize(kept + kReadBytes);
  const auto buffer = asio::buffer(incoming.data() + kept, kReadBytes);
  const auto count = co_await line->read(buffer);
  incoming.resize(kept + count.value_or(0));
  if (!count) co_return tl::unexpected(count.error());
  if (*count == 0) {
    const bool to_end = has_head && !parser->chunked() && !parser->body_length();
    if (to_end) co_return Step::done;
    co_return line->failure(Errc::io, has_head ? "the answer broke off"
                                               : "the connection was closed without an answer");
  }
  Step step = Step::more;
  for (std::size_t used = 0; !incoming.empty();) {
    step = parser->parse(incoming, used);
    incoming.erase(0, used);
    if (step != Step::head) break;
    has_head = true;
  }
  if (step == Step::done) has_head = true;
  if (step == Step::broken) co_return line->failure(Errc::io, "the answer is not HTTP");
  co_return step;
}

asio::awaitable<Result<HttpClient::Head>> HttpExchange::open(std::string method, std::string target,
                                                             Headers headers, std::string body) {
  auto& impl = *impl_;
  // Both engines want a Host header, and read nothing in it.
  std::string text =
      fmt::format("{} {} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n", method, target);
  for (const auto& field : headers.fields()) {
    text += fmt::format("{}: {}\r\n", field.name, field.value);
  }
  if (!body.empty() || method == "POST" || method == "PUT") {
    text += fmt::format("Content-Length: {}\r\n", body.size());
  }
  text += "\r\n";
  text += body;
  auto connected = co_await impl.line->connect();
  if (!connected) co_return tl::unexpected(connected.error());
  impl.sent = true;
  auto written = co_await impl.line->write(text);
  // A server that refuses a request early closes its side: the answer may be there all the same.
  if (!written && written.error().code != Errc::io) co_return tl::unexpected(written.error());
  impl.parser.emplace(method == "HEAD", impl.head.status, impl.head.headers, impl.body);
  while (!impl.has_head) {
    const auto step = co_await impl.advance();
    if (!step) co_return tl::unexpected(step.error());
    impl.done = *step == Impl::Step::done;
  }
  co_return impl.head;
}

asio::awaitable<Result<std::string>> HttpExchange::read() {
  auto& impl = *impl_;
  while (impl.body.empty() && !impl.done) {
    const auto step = co_await impl.advance();
    if (!step) co_return tl::unexpected(step.error());
    impl.done = *step == Impl::Step::done;
  }
  co_return std::exchange(impl.body, {});
}

asio::awaitable<Result<std::string>> HttpExchange::read_all(std::size_t bytes_max) {
  std::string text;
  for (;;) {
    const auto piece = co_await read();
    if (!piece) co_return tl::unexpected(piece.error());
    if (piece->empty()) co_return text;
    text += *piece;
    if (text.size() > bytes_max) {
      co_return impl_->line->failure(Errc::too_large,
                                     fmt::format("the answer has over {} bytes", bytes_max));
    }
  }
}

}  // namespace shoal

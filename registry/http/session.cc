#include "registry/http/session.h"

#include <algorithm>
#include <exception>
#include <utility>

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "registry/http/duplex.h"
#include "registry/http/error_document.h"
#include "registry/http/response_head.h"

namespace shoal {
namespace {

constexpr std::size_t kReceiveBytesMin = 64 << 10;  // The receive buffer's limit is at least this.
constexpr int kSwitching = 101;
constexpr std::uint64_t kDrainBytesMax = 1 << 20;  // A longer unread body ends the connection.
// How long, and for how many bytes, a client may go on sending after the last response: closing
// earlier would reset the connection, and the client would lose the response.
constexpr std::chrono::seconds kLingerTime{5};
constexpr std::uint64_t kLingerBytesMax = 64 << 20;
constexpr std::size_t kLingerReadBytes = 64 << 10;

std::string_view to_code(int status) {
  switch (status) {
    case 404: return "BLOB_UNKNOWN";
    case 417:
    case 501:
    case 505: return "UNSUPPORTED";
    case 503: return "TOOMANYREQUESTS";
    default: return "UNKNOWN";
  }
}

Response error_response(const Refusal& refusal) {
  Response response;
  response.status = refusal.status;
  response.headers.add("Content-Type", "application/json");
  if (refusal.status == 503) response.headers.add("Retry-After", "1");
  response.body =
      error_document({ErrorEntry{std::string(to_code(refusal.status)), refusal.message, {}}});
  return response;
}

Response internal_error() { return error_response({500, "the node failed; its log says why"}); }

/// Instead of a body that failed before its first byte: content of other nodes may turn out to be
/// nowhere, or not to be had now, when it is read.
Response failed_body(const Error& error) {
  switch (error.code) {
    case Errc::blob_unknown: return error_response({404, error.message});
    case Errc::unavailable:
    case Errc::timed_out: return error_response({503, error.message});
    default: return internal_error();
  }
}

std::size_t total_bytes(const std::vector<std::string_view>& stretches) {
  std::size_t bytes = 0;
  for (const auto& stretch : stretches) bytes += stretch.size();
  return bytes;
}

}  // namespace

Session::Session(asio::ip::tcp::socket socket, LoopState& loop, ServerState& server, bool overload)
    : server_(server),
      loop_(loop),
      connection_(std::move(socket), loop, server.metrics),
      received_(std::max<std::size_t>(server.config.header_bytes_max, kReceiveBytesMin)),
      parser_(request_,
              RequestLimits{server.config.header_bytes_max, server.config.target_bytes_max}),
      body_(connection_, received_, parser_, server.config.progress_timeout),
      overload_(overload) {
  request_.remote = connection_.remote();
  request_.body = &body_;
}

asio::awaitable<void> Session::run() {
  request_.executor = co_await asio::this_coro::executor;
  if (server_.config.tls) {
    const bool secured = co_await secure();
    if (!secured) co_return co_await linger();
  }
  while (!loop_.stopping()) {
    const Head head = co_await receive_head();
    if (head == Head::gone) co_return connection_.close();

    const auto started = std::chrono::steady_clock::now();
    head_ready_ = head == Head::ready;
    Response response;
    if (head_ready_) {
      body_.begin();
      response = co_await answer();
    } else {
      response = error_response(refusal_);
    }
    upgrading_ = settle_upgrade(response);
    keep_ = may_go_on(response);
    bool intact = co_await send(response);
    note_served(response, started);
    if (!intact) co_return connection_.abort();
    if (upgrading_) co_return co_await hand_over(response);
    if (!keep_) break;

    if (!body_.finished()) {
      const bool drained = co_await body_.drain(kDrainBytesMax);
      if (!drained) break;
    }
    // A client that sends many requests at once must not keep the others waiting.
    if (!received_.empty()) co_await asio::post(request_.executor, asio::use_awaitable);
  }
  co_await hang_up();
}

void Session::wind_up() {
  if (closable_) connection_.close();
}

asio::awaitable<bool> Session::secure() {
  connection_.expire_after(server_.config.idle_timeout);
  const auto failure = co_await connection_.secure(server_.config.tls->current());
  connection_.expire_never();
  if (!failure.empty()) {
    spdlog::debug("connection without TLS refused server={} remote={} error={}",
                  server_.config.name, request_.remote, failure);
    // The client should hear the alert that says why, which a reset would take from it.
    connection_.shutdown_send();
    co_return false;
  }
  request_.encrypted = true;
  request_.peer = connection_.peer();
  co_return true;
}

asio::awaitable<Session::Head> Session::receive_head() {
  head_ready_ = false;
  parser_.begin();
  if (overload_) {
    refusal_ = Refusal{503, "too many connections; try again later"};
    co_return Head::refused;
  }
  closable_ = received_.empty();
  if (closable_) received_.shrink();
  connection_.expire_after(server_.config.idle_timeout);
  for (;;) {
    if (!received_.empty()) {
      const auto step = parser_.parse_head(received_);
      if (step == RequestParser::Step::done) break;
      if (step == RequestParser::Step::refused) {
        refusal_ = parser_.refusal();
        co_return Head::refused;
      }
    }
    const auto got = co_await connection_.read_some(received_.space());
    if (got.end == Connection::End::timed_out && !closable_) {
      refusal_ = Refusal{408, "the request header did not arrive in time"};
      co_return Head::refused;
    }
    if (got.end != Connection::End::none) co_return Head::gone;
    received_.commit(got.bytes);
    // From its first byte on, a header has as long as an idle connection had.
    if (std::exchange(closable_, false)) connection_.expire_after(server_.config.idle_timeout);
  }
  connection_.expire_never();
  closable_ = false;
  co_return Head::ready;
}

asio::awaitable<Response> Session::answer() {
  try {
    Response response = co_await server_.handler(request_);
    co_return response;
  } catch (const std::exception& error) {
    spdlog::error("request failed method={} target={} error={}", parser_.method_text(),
                  request_.target, error.what());
  } catch (...) {
    spdlog::error("request failed method={} target={}", parser_.method_text(), request_.target);
  }
  co_return internal_error();
}

bool Session::settle_upgrade(Response& response) const {
  if (!response.upgrade || response.status != kSwitching) return false;
  if (parser_.http10()) {
    response = error_response({400, "the protocol can be changed from HTTP/1.1 alone"});
  } else if (!body_.finished()) {
    response = error_response({400, "the protocol cannot be changed by a request with a body"});
  } else if (loop_.stopping()) {
    response = error_response({503, "the node is shutting down"});
  }
  return response.status == kSwitching;
}

bool Session::may_go_on(const Response& response) const {
  return head_ready_ && parser_.keep_alive() && !response.close && !loop_.stopping() &&
         body_.drainable(kDrainBytesMax);
}

void Session::write_head(const Response& response, std::optional<std::uint64_t> length,
                         bool chunked) {
  Framing framing;
  framing.content_length = length;
  framing.chunked = chunked;
  framing.close = !keep_;
  framing.upgrade = upgrading_;
  framing.http10 = head_ready_ && parser_.http10();
  write_response_head(head_, response, framing, loop_.date());
  head_bytes_sent_ = head_.size();
}

asio::awaitable<bool> Session::send(Response& response) {
  const bool bodiless = request_.method == Method::head || is_bodiless(response.status);
  const auto* body = std::get_if<std::unique_ptr<ResponseBody>>(&response.body);
  if (body == nullptr || *body == nullptr || bodiless) co_return co_await send_text(response);
  co_return co_await send_stream(response, **body);
}

asio::awaitable<bool> Session::send_text(Response& response) {
  const auto* text = std::get_if<std::string>(&response.body);
  const bool bodiless = request_.method == Method::head || is_bodiless(response.status);
  std::optional<std::uint64_t> length = text != nullptr ? text->size() : 0;
  if (request_.method == Method::head && (response.length || text == nullptr)) {
    length = response.length;
  }
  if (is_bodiless(response.status)) length.reset();
  write_head(response, length, false);

  outgoing_.clear();
  outgoing_.emplace_back(head_.data(), head_.size());
  if (!bodiless && text != nullptr) outgoing_.emplace_back(text->data(), text->size());
  // Nearly always, all of it fits into the socket, and no more is to be done.
  if (connection_.try_write(outgoing_)) co_return true;
  co_return co_await flush();
}

asio::awaitable<bool> Session::send_stream(Response& response, ResponseBody& body) {
  const bool measured = response.length.has_value();
  const bool chunked = !measured && !parser_.http10();
  if (!measured && !chunked) keep_ = false;  // The end of the connection ends the body.
  std::uint64_t remaining = response.length.value_or(0);

  write_head(response, response.length, chunked);
  outgoing_.clear();
  outgoing_.emplace_back(head_.data(), head_.size());
  if (!measured || remaining == 0) {  // Nobody knows when the first bytes come.
    const bool sent = co_await flush();
    if (!sent) co_return false;
  }
  const auto fault = [&](std::string_view why) {
    spdlog::error("response broken off method={} target={} remote={} error=\"{}\"",
                  parser_.method_text(), request_.target, request_.remote, why);
  };
  while (!measured || remaining > 0) {
    std::string failure;
    Result<std::vector<std::string_view>> next;
    try {
      next = co_await body.next();
    } catch (const std::exception& error) {
      next = fail(Errc::io, error.what());
    }
    if (!next) {
      fault(next.error().message);
      if (outgoing_.empty()) co_return false;
      response = failed_body(next.error());  // The head has not left yet.
      co_return co_await send_text(response);
    }
    const std::size_t bytes = total_bytes(*next);
    if (bytes == 0) break;
    if (measured && bytes > remaining) {
      fault("more bytes than announced");
      co_return false;
    }
    remaining -= measured ? bytes : 0;

    if (chunked) {
      chunk_head_ = fmt::format("{:x}\r\n", bytes);
      outgoing_.emplace_back(chunk_head_.data(), chunk_head_.size());
    }
    for (const auto& stretch : *next) outgoing_.emplace_back(stretch.data(), stretch.size());
    if (chunked) outgoing_.emplace_back("\r\n", 2);
    // A short body, or the end of a long one, mostly leaves at once. Before that, a write that
    // waits gives other connections their turn.
    if (measured && remaining == 0 && connection_.try_write(outgoing_)) co_return true;
    const bool sent = co_await flush();
    if (!sent) co_return false;
  }
  if (remaining > 0) {
    fault("fewer bytes than announced");
    co_return false;
  }
  if (chunked) {
    outgoing_.emplace_back("0\r\n\r\n", 5);
    co_return co_await flush();
  }
  co_return true;
}

asio::awaitable<bool> Session::flush() {
  const bool sent = co_await connection_.write(outgoing_, server_.config.progress_timeout);
  outgoing_.clear();
  co_return sent;
}

void Session::note_served(const Response& response, Time started) {
  const std::chrono::duration<double> time = std::chrono::steady_clock::now() - started;
  server_.metrics.request_served(request_.method, response.status, time.count());
  const std::uint64_t sent = connection_.take_sent();
  if (!server_.config.access_log) return;
  spdlog::info("request served method={} target={} status={} bytes={} ms={:.3f} remote={}",
               parser_.method_text(), request_.target, response.status,
               sent - std::min(sent, head_bytes_sent_), time.count() * 1000, request_.remote);
}

asio::awaitable<void> Session::hand_over(Response& response) {
  closable_ = true;
  if (loop_.stopping()) co_return connection_.close();
  auto duplex = connection_.duplex();
  try {
    co_await response.upgrade(duplex, received_.data());
  } catch (const std::exception& error) {
    spdlog::error("connection failed target={} remote={} error={}", request_.target,
                  request_.remote, error.what());
  }
  connection_.close();
}

asio::awaitable<void> Session::hang_up() {
  const bool heard_out = head_ready_ && body_.finished() && received_.empty();
  const bool silent = body_.failure() && body_.failure()->code != Errc::bad_request;
  connection_.shutdown_send();
  if (heard_out || silent) co_return connection_.close();
  co_await linger();
}

asio::awaitable<void> Session::linger() {
  closable_ = true;
  connection_.expire_after(kLingerTime);
  std::vector<char> scratch(kLingerReadBytes);
  for (std::uint64_t bytes = 0; bytes < kLingerBytesMax && !loop_.stopping();) {
    const auto got = co_await connection_.read_some(scratch);
    if (got.end != Connection::End::none) break;
    bytes += got.bytes;
  }
  connection_.close();
}

}  // namespace shoal

#include "p2p/swarm/tunnel_link.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "p2p/swarm/tunnels.h"
#include "registry/http/duplex.h"
#include "registry/http/http_url.h"
#include "registry/http/response_parser.h"

namespace shoal {
namespace {

using asio::ip::tcp;
using boost::system::error_code;

constexpr std::string_view kProtocol =
    "\x13"
    "BitTorrent protocol";                  // BEP 3.
constexpr std::size_t kUntilInfoHash = 48;  // Bytes: that, 8 reserved ones, and the info hash.
constexpr std::size_t kHandshakeBytesMax = 4 << 10;  // Read at once with what follows it.
constexpr std::size_t kHeadBytesMax = 64 << 10;      // Of an answer.
constexpr std::size_t kCauseBytesMax = 200;          // Of a peer's words.

Error refusal_of(int status, std::string_view words) {
  words = words.substr(0, std::min(words.find('\n'), kCauseBytesMax));
  const auto code = status == 404   ? Errc::blob_unknown
                    : status == 403 ? Errc::denied
                                    : Errc::unavailable;
  return {code, fmt::format("it answered {}{}{}", status, words.empty() ? "" : ": ", words)};
}

void send_at_once(tcp::socket& socket) {
  error_code ignored;
  socket.set_option(tcp::no_delay(true), ignored);
}

}  // namespace

class TunnelLink::Limit {
 public:
  Limit(TunnelLink& link, tcp::socket& socket) : state_(std::make_shared<State>(link, socket)) {
    state_->timer.expires_after(link.patience_);
    state_->timer.async_wait([state = state_](error_code error) {
      if (error || state->over) return;
      state->passed = true;
      error_code ignored;
      state->socket.close(ignored);
    });
  }
  ~Limit() {
    state_->over = true;
    state_->timer.cancel();
  }
  Limit(const Limit&) = delete;
  Limit& operator=(const Limit&) = delete;

  [[nodiscard]] bool passed() const { return state_->passed; }
  /// The step failed: because it took too long, or else with `code` and `why`.
  [[nodiscard]] tl::unexpected<Error> failure(Errc code, const char* what, std::string_view why) {
    if (state_->passed) return fail(Errc::timed_out, fmt::format("{} took too long", what));
    return fail(code, fmt::format("{} failed: {}", what, why));
  }

 private:
  struct State {
    State(TunnelLink& link, tcp::socket& its_socket)
        : owner(link.shared_from_this()), socket(its_socket), timer(link.executor_) {}

    const std::shared_ptr<TunnelLink> owner;
    tcp::socket& socket;
    asio::steady_timer timer;
    bool over = false;
    bool passed = false;
  };
  const std::shared_ptr<State> state_;
};

TunnelLink::TunnelLink(asio::any_io_executor executor, std::chrono::milliseconds patience)
    : executor_(std::move(executor)), patience_(patience), local_(executor_), remote_(executor_) {}

void TunnelLink::close() {
  closed_ = true;
  error_code ignored;
  local_.close(ignored);
  remote_.close(ignored);  // What TLS keeps for it stays: somebody may be about to ask it.
  if (other_ != nullptr) other_->close();
}

void TunnelLink::close_remote() {
  error_code ignored;
  remote_.close(ignored);
  tls_.reset();
}

asio::awaitable<Result<std::string>> TunnelLink::read_handshake() {
  Limit limit(*this, local_);
  send_at_once(local_);
  Duplex local(local_);
  std::array<char, kHandshakeBytesMax> buffer;
  std::size_t filled = 0;
  while (filled < kUntilInfoHash) {
    const std::span<char> space = std::span(buffer).subspan(filled);
    const std::size_t count = co_await local.read(space);
    if (count == 0) {
      co_return limit.failure(Errc::bad_request, "the session's handshake", "it hung up");
    }
    filled += count;
    const auto known = std::min(filled, kProtocol.size());
    if (std::memcmp(buffer.data(), kProtocol.data(), known) != 0) {
      co_return fail(Errc::bad_request, "what the session sent is not BitTorrent in the clear");
    }
  }
  co_return std::string(buffer.data(), filled);
}

asio::awaitable<Result<std::string>> TunnelLink::open(std::string url, std::string peer,
                                                      std::shared_ptr<TlsContext> tls,
                                                      Digest digest) {
  close_remote();
  const auto target = parse_http_url(url);
  if (!target) co_return fail(Errc::unavailable, "its address is no URL of a server: " + url);
  if (target->tls && !tls) co_return fail(Errc::unavailable, "there is no TLS to reach " + url);

  const auto connected = co_await connect_remote(target->host, target->port);
  if (!connected) co_return tl::unexpected(connected.error());
  if (target->tls) {
    auto context = tls->current();
    const auto trusted = co_await shake_hands(std::move(context), peer);
    if (!trusted) co_return tl::unexpected(trusted.error());
  }
  co_return co_await ask(target->authority, digest);
}

asio::awaitable<Result<void>> TunnelLink::connect_remote(const std::string& host,
                                                         const std::string& port) {
  error_code error;
  std::vector<tcp::endpoint> endpoints;
  const auto literal = asio::ip::make_address(host, error);
  if (!error) {
    endpoints.emplace_back(literal, static_cast<std::uint16_t>(std::stoul(port)));
  } else {
    tcp::resolver resolver(executor_);
    const auto found = co_await resolver.async_resolve(
        host, port, asio::redirect_error(asio::use_awaitable, error));
    if (error) co_return fail(Errc::unavailable, "no such host: " + host);
    for (const auto& entry : found) endpoints.push_back(entry.endpoint());
  }
  Limit limit(*this, remote_);
  error = asio::error::host_not_found;
  for (const auto& endpoint : endpoints) {
    if (closed_ || limit.passed()) break;
    error_code ignored;
    remote_.close(ignored);
    co_await remote_.async_connect(endpoint, asio::redirect_error(asio::use_awaitable, error));
    if (!error) break;
  }
  if (error || closed_ || !remote_.is_open()) {
    co_return limit.failure(Errc::unavailable, "the connection", error.message());
  }
  send_at_once(remote_);
  co_return Result<void>();
}

asio::awaitable<Result<void>> TunnelLink::shake_hands(std::shared_ptr<ssl_ctx_st> context,
                                                      const std::string& peer) {
  using State = TlsStream::State;
  constexpr const char* kWhat = "the TLS handshake";
  Limit limit(*this, remote_);
  error_code error;
  remote_.non_blocking(true, error);
  tls_ = TlsStream::connect(std::move(context), remote_.native_handle(), peer);
  while (!error && remote_.is_open()) {
    const State state = tls_->handshake();
    if (state == State::ready) co_return Result<void>();
    if (state != State::wants_input && state != State::wants_output) {
      const auto code = tls_->denied() ? Errc::denied : Errc::unavailable;
      const auto& why = tls_->failure();
      co_return limit.failure(code, kWhat, why.empty() ? "the peer ended it" : why);
    }
    const auto event =
        state == State::wants_output ? tcp::socket::wait_write : tcp::socket::wait_read;
    co_await remote_.async_wait(event, asio::redirect_error(asio::use_awaitable, error));
  }
  co_return limit.failure(Errc::unavailable, kWhat, "the connection was closed");
}

asio::awaitable<Result<std::string>> TunnelLink::ask(const std::string& authority,
                                                     const Digest& digest) {
  constexpr const char* kWhat = "the request";
  Limit limit(*this, remote_);
  Duplex remote(remote_, tls_.get());
  const auto request =
      fmt::format("GET {}{} HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: {}\r\n\r\n",
                  kSwarmPath, digest.to_string(), authority, kSwarmProtocol);
  const bool sent = co_await remote.write(request);
  // Even when it could not be sent, there may be an answer.

  int status = 0;
  Headers headers;
  std::string body;
  ResponseParser parser(false, status, headers, body);
  std::string received;
  std::vector<char> buffer(kHeadBytesMax / 4);
  for (std::size_t total = 0; total < kHeadBytesMax;) {
    const std::size_t count = co_await remote.read(buffer);
    if (count == 0) {
      const bool denied = tls_ && tls_->denied();
      std::string why = tls_ ? tls_->failure() : std::string();
      if (why.empty()) why = sent ? "the peer hung up" : "the connection broke";
      co_return limit.failure(denied ? Errc::denied : Errc::io, kWhat, why);
    }
    total += count;
    received.append(buffer.data(), count);
    std::size_t used = 0;
    const auto step = parser.parse(received, used);
    received.erase(0, used);
    if (step == ResponseParser::Step::broken) break;
    if (step == ResponseParser::Step::more) continue;
    if (status == 101) co_return received;
    refused_ = true;
    // The peer's words mostly come with the head.
    co_return tl::unexpected(refusal_of(status, body.empty() ? received : body));
  }
  co_return fail(Errc::io, "what the peer sent is not an answer of HTTP");
}

asio::awaitable<Result<void>> TunnelLink::connect_local(tcp::endpoint endpoint) {
  Limit limit(*this, local_);
  error_code error;
  co_await local_.async_connect(endpoint, asio::redirect_error(asio::use_awaitable, error));
  if (error || !local_.is_open()) {
    co_return limit.failure(Errc::unavailable, "connecting to the session", error.message());
  }
  send_at_once(local_);
  co_return Result<void>();
}

}  // namespace shoal

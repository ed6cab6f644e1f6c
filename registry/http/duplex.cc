#include "registry/http/duplex.h"

#include <netinet/tcp.h>
#include <sys/socket.h>

#include <tuple>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "registry/http/connection.h"
#include "registry/http/tls_stream.h"

namespace shoal {
namespace {

using asio::ip::tcp;
using boost::system::error_code;

/// What TLS waits for, if it waits.
bool must_wait(TlsStream::State state) {
  return state == TlsStream::State::wants_input || state == TlsStream::State::wants_output;
}

tcp::socket::wait_type event_of(TlsStream::State state) {
  return state == TlsStream::State::wants_output ? tcp::socket::wait_write : tcp::socket::wait_read;
}

}  // namespace

Duplex::Duplex(tcp::socket& socket, TlsStream* tls) : socket_(socket), tls_(tls) {
  error_code ignored;  // A socket that is already broken says so at the first read.
  socket_.non_blocking(true, ignored);
}

Duplex::Duplex(tcp::socket& socket, TlsStream* tls, Connection& connection)
    : socket_(socket), tls_(tls), counted_(&connection) {}

asio::awaitable<std::size_t> Duplex::read(std::span<char> buffer) {
  in_order_ = false;
  if (tls_ != nullptr) co_return co_await read_tls(buffer);
  error_code error;
  const auto target = asio::buffer(buffer.data(), buffer.size());
  const std::size_t count =
      co_await socket_.async_read_some(target, asio::redirect_error(asio::use_awaitable, error));
  in_order_ = error == asio::error::eof;
  if (acknowledges_ && count > 0) {
    // The kernel forgets it whenever it sees fit.
    constexpr int kOn = 1;
    std::ignore =
        ::setsockopt(socket_.native_handle(), IPPROTO_TCP, TCP_QUICKACK, &kOn, sizeof kOn);
  }
  if (counted_ != nullptr) counted_->count_received(count);
  co_return count;
}

asio::awaitable<std::size_t> Duplex::read_tls(std::span<char> buffer) {
  error_code error;
  // After close() the descriptor is no longer the socket's, and perhaps somebody else's.
  while (!error && socket_.is_open()) {
    const auto step = tls_->read(buffer);
    if (step.state == TlsStream::State::ready) {
      if (counted_ != nullptr) counted_->count_received(step.bytes);
      co_return step.bytes;
    }
    in_order_ = step.state == TlsStream::State::ended;
    if (!must_wait(step.state)) co_return 0;
    const auto event = event_of(step.state);
    co_await socket_.async_wait(event, asio::redirect_error(asio::use_awaitable, error));
  }
  co_return 0;
}

asio::awaitable<bool> Duplex::write(std::string_view text) {
  if (tls_ != nullptr) co_return co_await write_tls(text);
  error_code error;
  while (!text.empty() && !error) {
    const auto source = asio::buffer(text.data(), text.size());
    const std::size_t count =
        co_await socket_.async_write_some(source, asio::redirect_error(asio::use_awaitable, error));
    if (counted_ != nullptr) counted_->count_sent(count);
    text.remove_prefix(count);
  }
  co_return text.empty();
}

asio::awaitable<bool> Duplex::write_tls(std::string_view text) {
  error_code error;
  while (!error && socket_.is_open()) {
    const auto step = tls_->write(text);
    if (counted_ != nullptr) counted_->count_sent(step.bytes);
    text.remove_prefix(step.bytes);
    if (step.state == TlsStream::State::ready) {
      if (text.empty()) co_return true;
      continue;
    }
    if (!must_wait(step.state)) co_return false;
    const auto event = event_of(step.state);
    co_await socket_.async_wait(event, asio::redirect_error(asio::use_awaitable, error));
  }
  co_return false;
}

void Duplex::finish() {
  if (!socket_.is_open()) return;
  if (tls_ != nullptr) tls_->finish();
  error_code ignored;
  socket_.shutdown(tcp::socket::shutdown_send, ignored);
}

void Duplex::close() {
  error_code ignored;
  socket_.close(ignored);
}

tcp::socket::executor_type Duplex::executor() const { return socket_.get_executor(); }

}  // namespace shoal

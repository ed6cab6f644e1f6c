#include "registry/http/connection.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "registry/http/duplex.h"
#include "registry/http/listen_address.h"
#include "registry/http/tls_stream.h"

namespace shoal {
namespace {

using boost::system::error_code;

constexpr std::uint64_t kReportBytes = 1 << 20;  // Metrics of a long transfer move this often.
constexpr std::size_t kTurnBytes = 256 << 10;    // Encrypted at once; then it is others' turn.

/// Drops `count` bytes from the front of `buffers`, and buffers without bytes with them.
std::span<asio::const_buffer> drop(std::span<asio::const_buffer> buffers, std::size_t count) {
  while (!buffers.empty()) {
    const std::size_t step = std::min(count, buffers.front().size());
    buffers.front() += step;
    count -= step;
    if (buffers.front().size() > 0) break;
    buffers = buffers.subspan(1);
  }
  return buffers;
}

}  // namespace

struct Connection::Tls {
  std::unique_ptr<TlsStream> stream;
  TlsStream::State state = TlsStream::State::ready;  // Of the last step.
  bool broken = false;                               // Nothing can be written any more.
  std::vector<char> record{};  // Short stretches, gathered so that they leave as one record.

  /// The next bytes of `buffers`, enough for a record if there are as many.
  [[nodiscard]] std::string_view front(std::span<const asio::const_buffer> buffers);
};

std::string_view Connection::Tls::front(std::span<const asio::const_buffer> buffers) {
  const auto& first = buffers.front();
  if (first.size() >= TlsStream::kRecordBytes || buffers.size() == 1) {
    return {static_cast<const char*>(first.data()), first.size()};
  }
  record.clear();
  for (const auto& buffer : buffers) {
    const auto* const data = static_cast<const char*>(buffer.data());
    const auto bytes = std::min(buffer.size(), TlsStream::kRecordBytes - record.size());
    record.insert(record.end(), data, data + bytes);
  }
  return {record.data(), record.size()};
}

Connection::Connection(asio::ip::tcp::socket socket, const LoopState& state, HttpMetrics& metrics)
    : socket_(std::move(socket)), state_(state), metrics_(metrics) {
  error_code ignored;  // A socket that is already broken says so at the first read.
  socket_.non_blocking(true, ignored);
  // Every response leaves in one piece: waiting for more to fill a packet would only delay it.
  socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
  metrics_.connection_opened();
}

Connection::~Connection() {
  report();
  metrics_.connection_closed();
}

asio::awaitable<Connection::Received> Connection::read_some(std::span<char> buffer) {
  if (tls_) co_return co_await read_some_tls(buffer);
  error_code error;
  const auto target = asio::buffer(buffer.data(), buffer.size());
  const std::size_t count =
      co_await socket_.async_read_some(target, asio::redirect_error(asio::use_awaitable, error));
  const bool timed_out = std::exchange(timed_out_, false);
  count_received(count);
  if (!error) {
    if (timed_out) deadline_ = state_.tick() + patience_;  // In the last moment.
    co_return Received{count, End::none};
  }
  const bool aborted = error == asio::error::operation_aborted;
  co_return Received{0, aborted && timed_out ? End::timed_out : End::closed};
}

bool Connection::try_write(std::span<asio::const_buffer> buffers) {
  if (tls_) {
    return socket_.is_open() && write_some_tls(buffers, std::numeric_limits<std::size_t>::max());
  }
  error_code error;
  const std::size_t count = socket_.write_some(buffers, error);
  count_sent(count);
  return drop(buffers, count).empty();
}

asio::awaitable<bool> Connection::write(std::span<asio::const_buffer> buffers,
                                        std::chrono::seconds progress_timeout) {
  if (tls_) co_return co_await write_tls(buffers, progress_timeout);
  error_code error;
  buffers = drop(buffers, 0);
  writing_ = true;
  while (!buffers.empty() && !error) {
    expire_after(progress_timeout);
    const std::size_t count = co_await socket_.async_write_some(
        buffers, asio::redirect_error(asio::use_awaitable, error));
    count_sent(count);
    buffers = drop(buffers, count);
  }
  writing_ = false;
  timed_out_ = false;
  expire_never();
  co_return buffers.empty();
}

asio::awaitable<std::string> Connection::secure(std::shared_ptr<ssl_ctx_st> context) {
  using State = TlsStream::State;
  tls_ = std::make_unique<Tls>();
  tls_->stream = TlsStream::accept(std::move(context), socket_.native_handle());
  std::string failure;
  for (;;) {
    tls_->state = tls_->stream->handshake();
    if (tls_->state == State::ready) break;
    if (tls_->state != State::wants_input && tls_->state != State::wants_output) {
      failure = tls_->stream->failure();
      if (failure.empty()) failure = "the client ended it";
      break;
    }
    const auto end = co_await wait_tls();
    if (end == End::none) continue;
    failure = end == End::timed_out ? "no handshake in time" : "the connection was closed";
    break;
  }
  if (!failure.empty()) tls_.reset();
  co_return failure;
}

Duplex Connection::duplex() { return {socket_, tls_ ? tls_->stream.get() : nullptr, *this}; }

std::string Connection::peer() const { return tls_ ? tls_->stream->peer() : std::string(); }

asio::awaitable<Connection::End> Connection::wait_tls() {
  const auto event = tls_->state == TlsStream::State::wants_output
                         ? asio::ip::tcp::socket::wait_write
                         : asio::ip::tcp::socket::wait_read;
  error_code error;
  co_await socket_.async_wait(event, asio::redirect_error(asio::use_awaitable, error));
  const bool timed_out = std::exchange(timed_out_, false);
  // It may have been closed after the socket became ready and before this was resumed.
  if (!socket_.is_open()) co_return End::closed;
  if (!error) {
    if (timed_out) deadline_ = state_.tick() + patience_;  // In the last moment.
    co_return End::none;
  }
  co_return error == asio::error::operation_aborted&& timed_out ? End::timed_out : End::closed;
}

asio::awaitable<Connection::Received> Connection::read_some_tls(std::span<char> buffer) {
  using State = TlsStream::State;
  for (;;) {
    if (!socket_.is_open()) co_return Received{0, End::closed};
    const auto step = tls_->stream->read(buffer);
    tls_->state = step.state;
    count_received(step.bytes);
    if (step.state == State::ready) co_return Received{step.bytes, End::none};
    if (step.state != State::wants_input && step.state != State::wants_output) {
      co_return Received{0, End::closed};
    }
    const auto end = co_await wait_tls();
    if (end != End::none) co_return Received{0, end};
  }
}

bool Connection::write_some_tls(std::span<asio::const_buffer>& buffers, std::size_t bytes_max) {
  using State = TlsStream::State;
  std::size_t taken = 0;
  buffers = drop(buffers, 0);
  do {
    const auto text = buffers.empty() ? std::string_view() : tls_->front(buffers);
    const auto step = tls_->stream->write(text);
    tls_->state = step.state;
    taken += step.bytes;
    buffers = drop(buffers, step.bytes);
  } while (tls_->state == State::ready && !buffers.empty() && taken < bytes_max);
  tls_->record = {};
  count_sent(taken);
  return tls_->state == State::ready && buffers.empty();
}

asio::awaitable<bool> Connection::write_tls(std::span<asio::const_buffer> buffers,
                                            std::chrono::seconds progress_timeout) {
  using State = TlsStream::State;
  writing_ = true;
  End end = End::none;
  bool done = false;
  while (end == End::none && !done) {
    expire_after(progress_timeout);
    if (socket_.is_open()) done = write_some_tls(buffers, kTurnBytes);
    if (!socket_.is_open()) {
      end = End::closed;
    } else if (tls_->state == State::ready) {
      // As the plain way does: whoever writes much lets the loop's other connections come between.
      co_await asio::post(socket_.get_executor(), asio::use_awaitable);
    } else if (tls_->state == State::wants_input || tls_->state == State::wants_output) {
      end = co_await wait_tls();
    } else {
      end = End::closed;
    }
  }
  writing_ = false;
  timed_out_ = false;
  expire_never();
  co_return done;
}

void Connection::expire_after(std::chrono::seconds time) {
  patience_ = static_cast<std::uint32_t>(time.count()) + 1;  // The current tick has begun already.
  deadline_ = state_.tick() + patience_;
  unacknowledged_ = -1;
}

void Connection::check() {
  if (deadline_ == 0) return;
  if (writing_) {
    // The kernel asks for more only when much of its buffer is free. A slow reader that takes
    // something all the same is alive.
    const int before = std::exchange(unacknowledged_, unacknowledged());
    if (unacknowledged_ < before) deadline_ = state_.tick() + patience_;
  }
  if (state_.tick() < deadline_) return;
  deadline_ = 0;
  timed_out_ = true;
  error_code ignored;
  socket_.cancel(ignored);
}

void Connection::shutdown_send() {
  error_code ignored;
  if (tls_) tls_->stream->finish();
  tls_.reset();
  socket_.shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
}

void Connection::close() {
  error_code ignored;
  if (tls_ && socket_.is_open()) tls_->stream->finish();
  socket_.close(ignored);
}

void Connection::abort() {
  error_code ignored;
  socket_.set_option(asio::socket_base::linger(true, 0), ignored);
  socket_.close(ignored);
}

std::string Connection::remote() const {
  error_code error;
  const auto endpoint = socket_.remote_endpoint(error);
  return error ? "-" : to_string(endpoint);
}

std::uint64_t Connection::take_sent() { return std::exchange(sent_total_, 0); }

void Connection::count_received(std::size_t bytes) {
  received_ += bytes;
  if (received_ >= kReportBytes) report();
}

void Connection::count_sent(std::size_t bytes) {
  sent_total_ += bytes;
  sent_ += bytes;
  if (sent_ >= kReportBytes) report();
}

void Connection::report() {
  if (received_ > 0) metrics_.received(std::exchange(received_, 0));
  if (sent_ > 0) metrics_.sent(std::exchange(sent_, 0));
}

int Connection::unacknowledged() {
  int bytes = -1;
  return ::ioctl(socket_.native_handle(), SIOCOUTQ, &bytes) == 0 ? bytes : -1;
}

}  // namespace shoal

#include "registry/http/pump.h"

#include <algorithm>
#include <exception>
#include <span>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace shoal {
namespace {

// Two batches of TLS (tls_stream.cc); half or twice as many are as quick (measured).
constexpr std::size_t kBufferBytes = 128 << 10;
// What waits for more is no more than this.
constexpr std::size_t kWaitingBytesMax = 1 << 10;
// For the other side to end as well, once one has.
constexpr std::chrono::seconds kFarewell{5};

}  // namespace

Pump::Direction::Direction(Duplex& its_from, Duplex& its_to)
    : from(its_from), to(its_to), timer(from.executor()), sent(from.executor()) {}

Pump::Pump(Duplex& a, Duplex& b, std::chrono::milliseconds idle, Edit edit, Patience patience)
    : a_(a),
      b_(b),
      idle_(idle),
      edit_(std::move(edit)),
      patience_(std::move(patience)),
      a_to_b_(a, b),
      b_to_a_(b, a),
      timer_(a.executor()) {}

asio::awaitable<void> Pump::run() {
  start(move(a_to_b_));
  start(move(b_to_a_));
  bool quiet = false;
  while (running_ > 0) {
    const bool both = open_ == 2;
    timer_.expires_after(both ? std::chrono::milliseconds(idle_ / 2) : kFarewell);
    boost::system::error_code error;
    co_await timer_.async_wait(asio::redirect_error(asio::use_awaitable, error));
    if (error) continue;  // Something has ended.
    const bool moved = std::exchange(moved_, false);
    if (!both || (quiet && !moved)) close();
    quiet = !moved;
  }
}

void Pump::start(asio::awaitable<void> work) {
  ++running_;
  asio::co_spawn(a_.executor(), std::move(work), [this](std::exception_ptr failure) {
    if (failure) close();
    --running_;
    timer_.cancel();
  });
}

asio::awaitable<void> Pump::move(Direction& direction) {
  direction.memory = std::make_unique_for_overwrite<char[]>(kBufferBytes + kEditBytes);
  for (;;) {
    const auto room = std::span(direction.memory.get(), kBufferBytes).subspan(direction.end);
    const std::size_t count = co_await direction.from.read(room);
    if (count == 0) break;
    take(direction, count);
    if (direction.text().empty() || may_wait(direction)) continue;
    const bool sent = co_await send(direction);
    if (!sent) co_return close();
  }
  const bool sent = co_await send(direction);
  --open_;
  if (!sent || !direction.from.ended_in_order()) co_return close();
  direction.to.finish();
}

/// So many bytes were read.
void Pump::take(Direction& direction, std::size_t count) {
  char* const room = direction.memory.get() + direction.end;
  if (&direction == &a_to_b_ && edit_) {
    const auto edited = edit_({room, count});
    if (edited.data() != room) std::copy(edited.begin(), edited.end(), room);
    count = edited.size();
  }
  direction.end += count;
}

/// Whether more is to be read before the text is sent.
bool Pump::may_wait(Direction& direction) {
  if (&direction != &a_to_b_ || !patience_ || direction.end > kWaitingBytesMax) return false;
  const auto patience = patience_(direction.text());
  if (patience <= std::chrono::milliseconds(0)) return false;
  const auto until = asio::steady_timer::clock_type::now() + patience;
  if (std::exchange(direction.waits, true)) {
    if (direction.timer.expiry() <= until) return true;
    direction.timer.expires_at(until);  // Cancels the wait.
    direction.waits = true;
  } else {
    direction.timer.expires_at(until);
  }
  direction.timer.async_wait([this, &direction](const boost::system::error_code& error) {
    if (!error && std::exchange(direction.waits, false)) start(send_late(direction));
    --running_;
    timer_.cancel();
  });
  ++running_;
  return true;
}

/// What has waited long enough, while move() reads on behind it.
asio::awaitable<void> Pump::send_late(Direction& direction) {
  const auto text = direction.text();
  direction.begin = direction.end;
  direction.sending = true;
  const bool sent = co_await direction.to.write(text);
  direction.sending = false;
  direction.sent.cancel();
  direction.bytes += text.size();
  moved_ = true;
  if (!sent) close();
}

asio::awaitable<bool> Pump::send(Direction& direction) {
  direction.waits = false;
  direction.timer.cancel();
  while (direction.sending) {
    boost::system::error_code ignored;
    direction.sent.expires_at(asio::steady_timer::time_point::max());
    co_await direction.sent.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  }
  const auto text = direction.text();
  bool sent = true;
  if (!text.empty()) sent = co_await direction.to.write(text);
  direction.begin = direction.end = 0;
  direction.bytes += text.size();
  moved_ = true;
  co_return sent;
}

void Pump::close() {
  a_.close();
  b_.close();
  a_to_b_.timer.cancel();
}

}  // namespace shoal

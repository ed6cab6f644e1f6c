#include "registry/http/pump.h"

#include <cstddef>
#include <exception>
#include <memory>
#include <span>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace shoal {
namespace {

// Two batches of TLS (tls_stream.cc); half or twice as many are as quick (measured).
constexpr std::size_t kBufferBytes = 128 << 10;
// For the other side to end as well, once one has.
constexpr std::chrono::seconds kFarewell{5};

}  // namespace

Pump::Pump(Duplex& a, Duplex& b, std::chrono::milliseconds idle)
    : a_(a), b_(b), idle_(idle), timer_(a.executor()) {}

asio::awaitable<void> Pump::run() {
  start(a_, b_, from_a_);
  start(b_, a_, from_b_);
  bool quiet = false;
  while (running_ > 0) {
    const bool both = running_ == 2;
    timer_.expires_after(both ? std::chrono::milliseconds(idle_ / 2) : kFarewell);
    boost::system::error_code error;
    co_await timer_.async_wait(asio::redirect_error(asio::use_awaitable, error));
    if (error) continue;  // A direction has ended.
    const bool moved = std::exchange(moved_, false);
    if (!both || (quiet && !moved)) close();
    quiet = !moved;
  }
}

void Pump::start(Duplex& from, Duplex& to, std::uint64_t& bytes) {
  ++running_;
  asio::co_spawn(a_.executor(), move(from, to, bytes), [this](std::exception_ptr failure) {
    if (failure) close();
    --running_;
    timer_.cancel();
  });
}

asio::awaitable<void> Pump::move(Duplex& from, Duplex& to, std::uint64_t& bytes) {
  const auto memory = std::make_unique_for_overwrite<char[]>(kBufferBytes);
  const std::span<char> buffer(memory.get(), kBufferBytes);
  for (;;) {
    const std::size_t count = co_await from.read(buffer);
    if (count == 0) break;
    const std::string_view text(memory.get(), count);
    const bool sent = co_await to.write(text);
    if (!sent) co_return close();
    bytes += count;
    moved_ = true;
  }
  if (!from.ended_in_order()) co_return close();
  to.finish();
}

void Pump::close() {
  a_.close();
  b_.close();
}

}  // namespace shoal

#include "orchestrator/engine/interrupt.h"

#include <utility>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace shoal {

void Interrupt::raise() {
  if (std::exchange(raised_, true)) return;
  // They close sockets and timers, whose handlers run later: no guard goes away meanwhile.
  for (const auto& end : ends_) end();
}

asio::awaitable<bool> Interrupt::sleep(asio::any_io_executor executor,
                                       std::chrono::steady_clock::duration time) {
  if (raised_) co_return false;
  asio::steady_timer timer(executor, time);
  const Guard guard(this, [&timer] { timer.cancel(); });
  boost::system::error_code error;
  co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, error));
  co_return !raised_;
}

Interrupt::Guard::Guard(Interrupt* interrupt, std::function<void()> end) : interrupt_(interrupt) {
  if (!interrupt_) return;
  place_ = interrupt_->ends_.insert(interrupt_->ends_.end(), std::move(end));
  if (interrupt_->raised_) (*place_)();
}

Interrupt::Guard::~Guard() {
  if (interrupt_) interrupt_->ends_.erase(place_);
}

}  // namespace shoal

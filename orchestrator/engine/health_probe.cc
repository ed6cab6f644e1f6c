#include "orchestrator/engine/health_probe.h"

#include <algorithm>
#include <memory>
#include <utility>

#include <fmt/format.h>
#include <boost/asio/steady_timer.hpp>

namespace shoal {
namespace {

constexpr std::size_t kOutputShown = 200;

asio::awaitable<Result<void>> probe_http(asio::any_io_executor executor, StreamAddress address,
                                         CccfHealthCheck check, Interrupt* interrupt) {
  Headers headers;
  headers.add("User-Agent", "shoal-health");
  HttpExchange exchange(std::move(executor), std::move(address), check.timeout, interrupt);
  const auto head = co_await exchange.open("GET", check.path, headers, std::string());
  if (!head) co_return tl::unexpected(head.error());
  if (head->status >= 200 && head->status < 400) co_return Result<void>();
  co_return fail(Errc::unavailable, fmt::format("GET {}: HTTP {}", check.path, head->status));
}

asio::awaitable<Result<void>> probe_exec(Engine& engine, OwnedContainer container,
                                         CccfHealthCheck check) {
  const auto result =
      co_await engine.exec(std::move(container), std::move(check.command), check.timeout);
  if (!result) co_return tl::unexpected(result.error());
  if (result->exit_code == 0) co_return Result<void>();
  co_return fail(Errc::unavailable, fmt::format("exit code {}: {}", result->exit_code,
                                                result->output.substr(0, kOutputShown)));
}

}  // namespace

StreamAddress health_address(const Container& container, const std::vector<CccfPort>& published,
                             std::uint16_t port) {
  const auto mapping =
      std::find_if(published.begin(), published.end(), [port](const CccfPort& one) {
        return one.container == port && one.protocol == CccfPort::Protocol::tcp;
      });
  if (container.host_network) return {{}, "127.0.0.1", port};
  if (mapping != published.end()) return {{}, "127.0.0.1", mapping->host};
  return {{}, container.address.empty() ? "127.0.0.1" : container.address, port};
}

asio::awaitable<Result<void>> probe_health(Engine& engine, OwnedContainer container,
                                           CccfHealthCheck check, StreamAddress address,
                                           Interrupt* interrupt) {
  if (check.kind == CccfHealthCheck::Kind::exec) {
    co_return co_await probe_exec(engine, std::move(container), std::move(check));
  }
  // Of all of it, as for exec: a server that sends a byte of its head each second is not well.
  const auto late = std::make_shared<Interrupt>();
  const Interrupt::Guard guard(interrupt, [late] { late->raise(); });
  asio::steady_timer timer(engine.executor(), check.timeout);
  timer.async_wait([late](const boost::system::error_code& error) {
    if (!error) late->raise();
  });
  const auto timeout = check.timeout;
  Result<void> result;
  if (check.kind == CccfHealthCheck::Kind::http) {
    result =
        co_await probe_http(engine.executor(), std::move(address), std::move(check), late.get());
  } else {
    result = co_await try_connect(engine.executor(), std::move(address), timeout, late.get());
  }
  timer.cancel();
  const bool ours = interrupt == nullptr || !interrupt->raised();
  if (!result && late->raised() && ours) {
    co_return fail(Errc::timed_out, fmt::format("no answer within {} ms", timeout.count()));
  }
  co_return result;
}

}  // namespace shoal

#pragma once

#include <exception>
#include <optional>
#include <utility>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

namespace shoal {

namespace asio = boost::asio;

template <class T>
asio::awaitable<void> keep_result(asio::awaitable<T> task, std::optional<T>& result) {
  T value = co_await std::move(task);
  result.emplace(std::move(value));
}

/// Runs one coroutine to its end on `loop`, and whatever else is on it meanwhile.
template <class T>
T run_on_loop(asio::io_context& loop, asio::awaitable<T> task) {
  std::optional<T> result;
  std::exception_ptr error;
  bool ended = false;
  asio::co_spawn(loop, keep_result(std::move(task), result), [&](std::exception_ptr e) {
    error = std::move(e);
    ended = true;
  });
  loop.restart();
  while (!ended) loop.run_one();
  if (error) std::rethrow_exception(error);
  return *std::move(result);
}

}  // namespace shoal

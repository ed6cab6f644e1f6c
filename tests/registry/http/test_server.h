#pragma once

#include <algorithm>
#include <future>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <prometheus/registry.h>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "registry/http/server.h"

namespace shoal {

/// A server on a free port of 127.0.0.1, which serves until the end of the test.
class TestServer {
 public:
  explicit TestServer(Handler handler, HttpServerConfig config = {}) {
    config.listen = {"127.0.0.1:0"};
    if (config.threads == 0) config.threads = 2;
    auto bound = HttpServer::bind(config, std::move(handler), metrics_);
    if (!bound) throw std::runtime_error(bound.error().message);
    server_ = std::move(*bound);
    server_->start();
  }

  [[nodiscard]] std::string address() const { return server_->addresses().front(); }
  void stop(std::chrono::seconds grace) { server_->stop(grace); }
  prometheus::Registry& metrics() { return metrics_; }

 private:
  prometheus::Registry metrics_;
  std::unique_ptr<HttpServer> server_;
};

/// Reads a request's body to its end.
inline asio::awaitable<Result<std::string>> read_all(Request& request, std::size_t piece = 1'000) {
  std::string body;
  std::string buffer(piece, '\0');
  for (;;) {
    const auto count = co_await request.body->read(buffer);
    if (!count) co_return tl::unexpected(count.error());
    body.append(buffer, 0, *count);
    if (*count < buffer.size()) co_return body;
  }
}

/// Gives `count` pieces of `piece`, then ends, or fails if `fails`.
class PiecesBody final : public ResponseBody {
 public:
  PiecesBody(std::string piece, std::uint64_t count, bool fails = false, Errc how = Errc::io)
      : piece_(std::move(piece)), left_(count), fails_(fails), how_(how) {}

  asio::awaitable<Result<std::vector<std::string_view>>> next() override {
    if (left_ == 0 && fails_) co_return fail(how_, "the source dried up");
    std::vector<std::string_view> stretches;
    if (left_ > 0) {
      --left_;
      const std::string_view piece = piece_;
      stretches.push_back(piece.substr(0, 1));
      stretches.push_back(piece.substr(1));
    }
    co_return stretches;
  }

 private:
  std::string piece_;
  std::uint64_t left_;
  bool fails_;
  Errc how_;
};

/// A response body that the test ends.
class Faucet {
 public:
  /// Gives `first` at once and ends after close(). One body of a faucet at a time.
  [[nodiscard]] std::unique_ptr<ResponseBody> open(std::string first) {
    return std::make_unique<Body>(*this, std::move(first));
  }

  /// From any thread, once the body has been asked for more than its first bytes.
  void close() {
    waiting_.get_future().wait();
    asio::post(timer_->get_executor(), [this] { timer_->cancel(); });
  }

  /// Waits until the body is destroyed; false if that takes too long.
  [[nodiscard]] bool gone() {
    return gone_.get_future().wait_for(std::chrono::seconds(30)) == std::future_status::ready;
  }

 private:
  class Body final : public ResponseBody {
   public:
    Body(Faucet& faucet, std::string first) : faucet_(faucet), first_(std::move(first)) {}
    ~Body() override { faucet_.gone_.set_value(); }

    asio::awaitable<Result<std::vector<std::string_view>>> next() override {
      std::vector<std::string_view> stretches;
      if (!std::exchange(started_, true)) {
        stretches.push_back(first_);
        co_return stretches;
      }
      const auto executor = co_await asio::this_coro::executor;
      faucet_.timer_.emplace(executor, asio::steady_timer::time_point::max());
      faucet_.waiting_.set_value();
      boost::system::error_code error;
      co_await faucet_.timer_->async_wait(asio::redirect_error(asio::use_awaitable, error));
      faucet_.timer_.reset();  // It must not outlive its loop.
      co_return stretches;
    }

   private:
    Faucet& faucet_;
    std::string first_;
    bool started_ = false;
  };

  std::optional<asio::steady_timer> timer_;
  std::promise<void> waiting_;
  std::promise<void> gone_;
};

}  // namespace shoal

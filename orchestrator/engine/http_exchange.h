#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include "orchestrator/engine/interrupt.h"
#include "registry/http/client.h"

namespace shoal {

/// Where a stream leads: a unix-domain socket if `path` is set, else TCP to a literal address.
struct StreamAddress {
  std::string path;
  std::string host;
  std::uint16_t port = 0;

  /// For people: `/var/run/docker.sock` or `127.0.0.1:8080`.
  [[nodiscard]] std::string text() const;
};

/// Connects and closes again: the TCP health check. Fails with unavailable (refused, no such
/// address; or `interrupt`, which may be null, was raised) and timed_out.
[[nodiscard]] asio::awaitable<Result<void>> try_connect(asio::any_io_executor executor,
                                                        StreamAddress address,
                                                        std::chrono::milliseconds patience,
                                                        Interrupt* interrupt);

/// One request and its answer (HTTP/1.1), on a connection of its own, awaited. HttpClient blocks a
/// thread for each connection; an engine answers some requests for as long as a container runs
/// (logs, waits, events), and a host has hundreds of those, on one thread. A connection costs 20 µs
/// on a unix socket, and a fresh one is never half-closed, so none is kept.
///
/// Lives on `executor`, which runs one handler at a time. Every wait ends: with timed_out after
/// `patience` without a byte either way, and with unavailable once `interrupt` (may be null, must
/// outlive this) is raised.
class HttpExchange {
 public:
  HttpExchange(asio::any_io_executor executor, StreamAddress address,
               std::chrono::milliseconds patience, Interrupt* interrupt);
  ~HttpExchange();
  HttpExchange(const HttpExchange&) = delete;
  HttpExchange& operator=(const HttpExchange&) = delete;

  /// Connects, sends and reads the answer's head. Fails with unavailable (not connected: the server
  /// has seen nothing), timed_out and io (nobody knows what it has seen; see sent()). Call once.
  [[nodiscard]] asio::awaitable<Result<HttpClient::Head>> open(std::string method,
                                                               std::string target, Headers headers,
                                                               std::string body);

  /// Whether the server may have seen the request.
  [[nodiscard]] bool sent() const;

  /// The next bytes of the body, as many as came; "" at its end. Fails with timed_out, unavailable
  /// and io (the body broke off).
  [[nodiscard]] asio::awaitable<Result<std::string>> read();

  /// What is left of the body. Fails also with too_large.
  [[nodiscard]] asio::awaitable<Result<std::string>> read_all(std::size_t bytes_max);

  /// For the waits from now on.
  void set_patience(std::chrono::milliseconds patience);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
  Interrupt::Guard guard_;
};

}  // namespace shoal

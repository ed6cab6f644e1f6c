#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "registry/http/message.h"
#include "registry/http/tls.h"

namespace prometheus {
class Registry;
}

namespace shoal {

struct HttpServerConfig {
  std::vector<std::string> listen = {"127.0.0.1:5000"};  // HOST:PORT or [IPV6]:PORT; port 0: any.
  unsigned threads = 0;                       // Event loops, one thread each; 0: one per core.
  std::uint32_t connections_max = 4096;       // More are answered 503 and closed.
  std::uint32_t header_bytes_max = 64 << 10;  // Request line and headers; above: 431.
  std::uint32_t target_bytes_max = 16 << 10;  // Above: 414.
  std::chrono::seconds idle_timeout{90};      // Between requests, and for a whole header.
  std::chrono::seconds progress_timeout{60};  // No byte in or out for so long: closed.
  bool access_log = false;                    // One line per request, at info.
  std::shared_ptr<TlsContext> tls;            // Null: plain HTTP.
  std::string name = "registry";              // The `server` label of its metrics.
};

/// An HTTP/1.1 server (RFC 9110, RFC 9112) with keep-alive and `Expect: 100-continue`. Each loop
/// has one thread, and a connection stays on its loop. What is not HTTP gets a 400 and is closed.
class HttpServer {
 public:
  /// Binds all addresses. Fails with usage (not an address) or unavailable (in use: the message
  /// names address and port). `handler` and `metrics` must outlive the server. Nothing is served
  /// before start().
  [[nodiscard]] static Result<std::unique_ptr<HttpServer>> bind(const HttpServerConfig& config,
                                                                Handler handler,
                                                                prometheus::Registry& metrics);
  /// Calls stop(0 s) if that was not done.
  ~HttpServer();

  void start();

  /// Stops accepting, ends idle connections, waits up to `grace` for requests under way, closes
  /// what is left, and joins the threads. Blocking; not from a loop's own thread. Idempotent.
  void stop(std::chrono::seconds grace);

  /// The addresses it really listens on, `127.0.0.1:43211`.
  [[nodiscard]] std::vector<std::string> addresses() const;

 private:
  struct Impl;
  explicit HttpServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace shoal

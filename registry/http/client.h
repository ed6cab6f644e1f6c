#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "registry/http/message.h"
#include "registry/http/tls.h"

namespace shoal {

/// A whole answer, read into memory.
struct HttpAnswer {
  int status = 0;
  Headers headers;
  std::string body;
};

struct HttpClientConfig {
  std::chrono::seconds progress_timeout{30};  // A wait without a byte for so long: timed_out.
  std::shared_ptr<TlsContext> tls;            // For https; null: the system's authorities.
  std::string peer;  // The name that the server's certificate must carry; "": the URL's host, but
                     // any where `tls` has a pin.
  /// A peer that vanished without a word ends a wait that has no other bound: TCP keepalive, and
  /// TCP_USER_TIMEOUT for what was sent (tcp(7)).
  std::chrono::seconds dead_after{15};
};

/// One keep-alive connection to a server. Blocking; one thread at a time, but for interrupt().
/// Several are several connections.
///
/// Errors of all calls: unavailable (cannot connect; the message names the address), denied (TLS:
/// the server's certificate is not the expected one, or it refused ours), timed_out, io (the
/// connection broke or what came is not HTTP), too_large. After an error other than too_large at
/// connecting, nobody knows whether the server did what was asked.
class HttpClient {
 public:
  /// `url` is `http://HOST:PORT` or `https://HOST:PORT`, the port 80 or 443 if left out; nothing is
  /// sent yet. Fails with usage.
  [[nodiscard]] static Result<HttpClient> to(std::string_view url, HttpClientConfig config);
  [[nodiscard]] static Result<HttpClient> to(std::string_view url,
                                             std::chrono::seconds progress_timeout);
  ~HttpClient();
  HttpClient(HttpClient&&) noexcept;
  HttpClient& operator=(HttpClient&&) noexcept;

  /// Sends a request and reads the answer, at most `body_bytes_max` of it. Reconnects once when a
  /// kept connection turns out to be closed before any byte came back.
  [[nodiscard]] Result<HttpAnswer> send(std::string_view method, std::string_view target,
                                        const Headers& headers = {}, std::string_view body = {},
                                        std::uint64_t body_bytes_max = 64 << 20);

  /// Sends a request and hands each line of the answer's body, whatever its status, to `line` as
  /// it comes, until that returns false or the body ends; a last line without an end counts. For
  /// line-delimited JSON and server-sent events. Gives the status. With `patient` a silence is no
  /// error, however long, as long as the peer's machine is there (see dead_after).
  [[nodiscard]] Result<int> stream_lines(std::string_view method, std::string_view target,
                                         const std::function<bool(std::string_view)>& line,
                                         std::string_view body = {}, const Headers& headers = {},
                                         bool patient = false);

  /// Sends a request and reads the answer's head; the body follows by read_body(). Both ends of
  /// large content work at the reader's pace.
  struct Head {
    int status = 0;
    Headers headers;
  };
  [[nodiscard]] Result<Head> open(std::string_view method, std::string_view target,
                                  const Headers& headers = {}, std::string_view body = {});
  /// Fills `buffer` as far as the body of the last open() goes: fewer bytes mean its end. A body
  /// that ends before its announced length fails with io. Any other request first drops the rest.
  [[nodiscard]] Result<std::size_t> read_body(std::span<char> buffer);

  /// From any thread: a call that is under way, and all later ones, fail soon with unavailable.
  void interrupt();

 private:
  struct Impl;
  explicit HttpClient(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace shoal

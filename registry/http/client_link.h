#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "registry/http/tls_stream.h"
#include "storage/error.h"

struct addrinfo;
struct ssl_ctx_st;

namespace shoal {

/// Where a client connects to, and how.
struct ClientLinkConfig {
  std::string host;  // A name or an address, without brackets.
  std::string port;
  std::string authority;              // As errors name it.
  std::chrono::seconds timeout{30};   // For a wait without a byte.
  std::chrono::seconds dead_after{};  // See HttpClientConfig.
  std::string peer;                   // See TlsStream::connect.
};

/// The client's end of a connection, plain or TLS: blocking calls over a socket that does not
/// block, so that each wait has a timeout and can be interrupted. One thread at a time, but for
/// interrupt(). After an error, but that of write(), it is closed. Errors are HttpClient's.
class ClientLink {
 public:
  [[nodiscard]] static Result<std::unique_ptr<ClientLink>> to(ClientLinkConfig config);
  ~ClientLink();
  ClientLink(const ClientLink&) = delete;
  ClientLink& operator=(const ClientLink&) = delete;

  /// With `tls`, TlsContext::current(), over TLS. Closes what was open before.
  [[nodiscard]] Result<void> connect(std::shared_ptr<ssl_ctx_st> tls);
  [[nodiscard]] bool connected() const { return socket_ >= 0; }
  /// Whether the kept connection is still good, as far as can be told without sending anything.
  [[nodiscard]] bool alive();

  /// Sends all of it. After an error of io, which is the connection's, an answer may be there all
  /// the same.
  [[nodiscard]] Result<void> write(std::string_view text);
  /// What is there, at least a byte; 0 at the end of the connection.
  [[nodiscard]] Result<std::size_t> read(std::span<char> buffer);
  /// Whether the end that read() met is one that the peer meant.
  [[nodiscard]] bool ended_in_order() const { return in_order_; }

  /// From now on a silence is no error, as long as the peer's machine is there.
  void set_patient(bool patient);
  void close();
  /// For an error that the caller found.
  [[nodiscard]] tl::unexpected<Error> give_up(Errc code, const std::string& message);

  /// From any thread, for good.
  void interrupt();

 private:
  ClientLink(ClientLinkConfig config, int wakeup);

  [[nodiscard]] Result<void> connect_to(const addrinfo& address);
  [[nodiscard]] Result<void> shake_hands(std::shared_ptr<ssl_ctx_st> context);
  [[nodiscard]] Result<void> wait(short events, const char* what);
  [[nodiscard]] Result<void> write_tls(std::string_view text);
  [[nodiscard]] Result<void> wait_tls(TlsStream::State state, const char* what);
  [[nodiscard]] Result<void> check_interrupted();
  [[nodiscard]] tl::unexpected<Error> give_up_tls(Errc otherwise);

  const ClientLinkConfig config_;
  const int wakeup_;  // An eventfd that becomes readable when interrupted.
  int socket_ = -1;
  std::unique_ptr<TlsStream> tls_;  // Null: plain.
  bool patient_ = false;
  bool in_order_ = false;
  std::int64_t unread_bound_ = 0;  // The socket's TCP_USER_TIMEOUT in ms; 0: none.
  std::atomic<bool> interrupted_{false};
};

}  // namespace shoal

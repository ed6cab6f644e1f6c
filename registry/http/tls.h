#pragma once

#include <memory>
#include <string>

#include "storage/error.h"

struct ssl_ctx_st;  // OpenSSL's SSL_CTX.

namespace shoal {

/// What one end of a TLS connection shows and whom it trusts. PEM texts.
struct TlsConfig {
  std::string certificate_pem;  // Leaf first; empty: none is shown (clients alone).
  std::string key_pem;
  std::string authorities_pem;  // Whose certificates are accepted; empty: the system's (clients),
                                // no client certificate is asked for (servers).
  std::string pinned_sha256;    // Clients: 64 hex digits; instead of `authorities_pem`, a
                                // certificate with this digest of its DER must be in the chain
                                // that the server sends, and sign its leaf.
};

/// The settings behind TLS connections: TLS 1.3 alone between nodes, at least 1.2 to others.
/// Connections that exist keep what they began with. Thread-safe.
class TlsContext {
 public:
  /// Servers ask for a client certificate and accept that none is sent: Request::peer is then
  /// empty. One that is sent and does not descend from `authorities_pem` fails the handshake.
  /// Fails with usage: the message says which text is not what it should be.
  [[nodiscard]] static Result<std::shared_ptr<TlsContext>> server(const TlsConfig& config);
  [[nodiscard]] static Result<std::shared_ptr<TlsContext>> client(const TlsConfig& config);
  ~TlsContext();

  /// For connections from now on: a certificate was renewed. Fails as server() does, and then
  /// nothing changed.
  [[nodiscard]] Result<void> replace(const TlsConfig& config);

  /// Whether servers are known by a pinned certificate, and not by their names.
  [[nodiscard]] bool pinned() const;

  /// OpenSSL's own object, of now; for registry/http. To be kept as long as what is made of it.
  [[nodiscard]] std::shared_ptr<ssl_ctx_st> current() const;

 private:
  struct Impl;
  explicit TlsContext(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace shoal

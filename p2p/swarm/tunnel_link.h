#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include "registry/http/message.h"
#include "registry/http/tls.h"
#include "registry/http/tls_stream.h"
#include "storage/digest.h"
#include "storage/error.h"

namespace shoal {

class Duplex;

/// One tunnel of SwarmTunnels, between the session of BitTorrent on this node and a peer, until its
/// bytes flow. Lives on one executor, which one thread runs, in a shared_ptr: what is under way
/// keeps it.
class TunnelLink : public std::enable_shared_from_this<TunnelLink> {
 public:
  /// Each step below fails with timed_out after `patience`.
  TunnelLink(asio::any_io_executor executor, std::chrono::milliseconds patience);

  /// Reads the beginning of BitTorrent from the local end, up to the info hash at least. Fails with
  /// bad_request when it is something else.
  [[nodiscard]] asio::awaitable<Result<std::string>> read_handshake();

  /// Connects the remote end to `url`, `https://10.0.0.7:5001`, where a certificate for `peer` is
  /// insisted on, and asks for the tunnel of `digest`. What the peer sent behind its answer. Fails
  /// with unavailable, denied, blob_unknown (404), bad_request or io.
  [[nodiscard]] asio::awaitable<Result<std::string>> open(std::string url, std::string peer,
                                                          std::shared_ptr<TlsContext> tls,
                                                          Digest digest);

  /// Whether the peer itself has refused, and not only one of its addresses failed.
  [[nodiscard]] bool refused() const { return refused_; }

  /// Connects the local end, which is bound already. Fails with unavailable.
  [[nodiscard]] asio::awaitable<Result<void>> connect_local(asio::ip::tcp::endpoint endpoint);

  /// What is under way ends soon, and nothing begins any more.
  void close();
  [[nodiscard]] bool closed() const { return closed_; }
  /// Another connection that close() closes as well, or null: the server's, of a tunnel that a peer
  /// opened.
  void set_other(Duplex* other) { other_ = other; }

  [[nodiscard]] const asio::any_io_executor& executor() const { return executor_; }
  [[nodiscard]] asio::ip::tcp::socket& local() { return local_; }
  [[nodiscard]] asio::ip::tcp::socket& remote() { return remote_; }
  [[nodiscard]] TlsStream* tls() { return tls_.get(); }

 private:
  /// Closes `socket` when a step takes too long; ends with its scope.
  class Limit;

  [[nodiscard]] asio::awaitable<Result<void>> connect_remote(const std::string& host,
                                                             const std::string& port);
  [[nodiscard]] asio::awaitable<Result<void>> shake_hands(std::shared_ptr<ssl_ctx_st> context,
                                                          const std::string& peer);
  [[nodiscard]] asio::awaitable<Result<std::string>> ask(const std::string& authority,
                                                         const Digest& digest);
  void close_remote();

  const asio::any_io_executor executor_;
  const std::chrono::milliseconds patience_;
  asio::ip::tcp::socket local_;
  asio::ip::tcp::socket remote_;
  std::unique_ptr<TlsStream> tls_;  // Of the remote end; null: plain.
  Duplex* other_ = nullptr;
  bool refused_ = false;
  bool closed_ = false;
};

}  // namespace shoal

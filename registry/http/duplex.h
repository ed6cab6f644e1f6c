#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>

namespace shoal {

namespace asio = boost::asio;

class Connection;
class TlsStream;

/// An open connection, plain or TLS, on which one coroutine may read while another writes. Has no
/// deadlines: who needs one closes it. Lives on its socket's executor, which one thread runs.
class Duplex {
 public:
  /// `tls` is null for a plain connection; else its handshake is done. Both must outlive this and
  /// be used by nobody else meanwhile, but that the socket may be closed.
  explicit Duplex(asio::ip::tcp::socket& socket, TlsStream* tls = nullptr);
  /// The same, with the bytes counted as those of `connection`, which must outlive this.
  Duplex(asio::ip::tcp::socket& socket, TlsStream* tls, Connection& connection);

  /// The next bytes, as many as are there; 0 at the end of the connection, however it came about,
  /// and after close(). `buffer` must not be empty. Other work on the thread may have to wait until
  /// a caller suspends elsewhere: with TLS, it does not suspend for bytes that are there.
  [[nodiscard]] asio::awaitable<std::size_t> read(std::span<char> buffer);
  /// Whether the end that read() met is one that the peer meant.
  [[nodiscard]] bool ended_in_order() const { return in_order_; }

  /// Sends everything, however long that takes. False if the connection is broken or closed.
  [[nodiscard]] asio::awaitable<bool> write(std::string_view text);

  /// Says that nothing follows; reading goes on. Not while a write() is under way.
  void finish();
  /// What is under way ends soon. May be called again.
  void close();

  /// From now on what comes in is acknowledged with each read, on a plain connection: for a peer
  /// that waits for that before it sends a little more (Nagle's algorithm, RFC 896; RFC
  /// 1122 4.2.3.2 allows 500 ms until then, Linux takes 40).
  void acknowledge_at_once() { acknowledges_ = true; }

  [[nodiscard]] asio::ip::tcp::socket::executor_type executor() const;

 private:
  [[nodiscard]] asio::awaitable<std::size_t> read_tls(std::span<char> buffer);
  [[nodiscard]] asio::awaitable<bool> write_tls(std::string_view text);

  asio::ip::tcp::socket& socket_;
  TlsStream* const tls_;
  Connection* const counted_ = nullptr;
  bool in_order_ = false;
  bool acknowledges_ = false;
};

}  // namespace shoal

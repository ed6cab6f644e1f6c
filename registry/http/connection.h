#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>

#include "registry/http/loop_state.h"
#include "registry/http/message.h"
#include "registry/http/metrics.h"

struct ssl_ctx_st;

namespace shoal {

class Duplex;

/// A client's socket, plain or TLS, with a deadline. There is no timer of its own: the loop's
/// watchdog calls check() each second. Lives on its loop's thread; one read or write at a time.
class Connection {
 public:
  /// `state` and `metrics` must outlive it.
  Connection(asio::ip::tcp::socket socket, const LoopState& state, HttpMetrics& metrics);
  ~Connection();

  enum class End {
    none,       // There are bytes.
    closed,     // By the peer, by close(), or broken.
    timed_out,  // The deadline passed.
  };
  struct Received {
    std::size_t bytes;
    End end;
  };

  /// Speaks TLS from now on, once the handshake is done; `context` is TlsContext::current(). Empty
  /// if it is, else why not, and then the connection is plain again: for what the peer still sends.
  [[nodiscard]] asio::awaitable<std::string> secure(std::shared_ptr<ssl_ctx_st> context);
  /// The common name of the client's certificate; empty without one.
  [[nodiscard]] std::string peer() const;

  /// The next bytes, as many as are there.
  [[nodiscard]] asio::awaitable<Received> read_some(std::span<char> buffer);

  /// Sends everything; progress, however slow, moves the deadline. False if it could not be done.
  /// `buffers` is used up on the way.
  [[nodiscard]] asio::awaitable<bool> write(std::span<asio::const_buffer> buffers,
                                            std::chrono::seconds progress_timeout);

  /// For reading and writing at once. From then on nothing here but close() and abort() may be
  /// called. Must not outlive this.
  [[nodiscard]] Duplex duplex();

  /// Sends what the socket takes at once and drops that from `buffers`; true if it was all.
  [[nodiscard]] bool try_write(std::span<asio::const_buffer> buffers);

  /// The operation under way, or the next, ends with timed_out after `time`, or up to 1 s later.
  void expire_after(std::chrono::seconds time);
  void expire_never() { deadline_ = 0; }
  /// Enforces the deadline; once a second.
  void check();

  /// Says that nothing will follow. What is still read is only to be dropped: of TLS, it is not
  /// decrypted any more.
  void shutdown_send();
  void close();
  /// Closes so that the peer sees a broken connection and not an end.
  void abort();

  /// `address:port` of the peer.
  [[nodiscard]] std::string remote() const;
  /// Bytes written since the last call of this.
  [[nodiscard]] std::uint64_t take_sent();

 private:
  friend class Duplex;
  struct Tls;

  [[nodiscard]] asio::awaitable<Received> read_some_tls(std::span<char> buffer);
  [[nodiscard]] asio::awaitable<bool> write_tls(std::span<asio::const_buffer> buffers,
                                                std::chrono::seconds progress_timeout);
  /// Gives TLS what the socket takes at once, or `bytes_max` and a bit, and drops it from
  /// `buffers`; true if all has left.
  [[nodiscard]] bool write_some_tls(std::span<asio::const_buffer>& buffers, std::size_t bytes_max);
  /// Until the socket is ready for what TLS wants.
  [[nodiscard]] asio::awaitable<End> wait_tls();
  void count_received(std::size_t bytes);
  void count_sent(std::size_t bytes);
  void report();
  /// Bytes in the kernel that the peer has not acknowledged; -1 if unknown.
  [[nodiscard]] int unacknowledged();

  asio::ip::tcp::socket socket_;
  const LoopState& state_;
  HttpMetrics& metrics_;
  std::uint32_t deadline_ = 0;  // A tick; 0: none.
  std::uint32_t patience_ = 0;  // Ticks from progress to the deadline.
  int unacknowledged_ = -1;     // At the last check during a write.
  bool writing_ = false;
  bool timed_out_ = false;
  std::uint64_t received_ = 0;  // Not yet in the metrics.
  std::uint64_t sent_ = 0;
  std::uint64_t sent_total_ = 0;
  std::unique_ptr<Tls> tls_;  // Null: plain.
};

}  // namespace shoal

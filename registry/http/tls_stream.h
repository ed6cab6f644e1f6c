#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

struct ssl_ctx_st;

namespace shoal {

/// TLS over a non-blocking socket that belongs to somebody else: waiting for the socket is the
/// caller's part, so that the server's loops and the blocking client share this. One thread at a
/// time. The descriptor must be open during calls.
class TlsStream {
 public:
  /// The server's end. `context` is TlsContext::current().
  [[nodiscard]] static std::unique_ptr<TlsStream> accept(std::shared_ptr<ssl_ctx_st> context,
                                                         int descriptor);
  /// The client's end, which insists on a certificate for `name`, a DNS name or an IP address;
  /// with "" any name will do.
  [[nodiscard]] static std::unique_ptr<TlsStream> connect(std::shared_ptr<ssl_ctx_st> context,
                                                          int descriptor, const std::string& name);
  ~TlsStream();

  enum class State {
    ready,         // Bytes moved; for handshake(): done.
    wants_input,   // Nothing to do before the socket is readable.
    wants_output,  // Nothing to do before it is writable.
    ended,         // The peer said that nothing follows.
    lost,          // The connection ended or broke without that word.
    failed,        // What came is not TLS, or no trust was established.
  };
  struct Step {
    std::size_t bytes;
    State state;
  };

  /// To be repeated until it is ready. Nothing else before that.
  [[nodiscard]] State handshake();

  /// What is there, as far as it fits. There may be more without the socket being readable: wait
  /// only when told so.
  [[nodiscard]] Step read(std::span<char> buffer);

  /// Takes bytes from the front of `text`. After wants_output it must be called again even if it
  /// took all of them, with "" perhaps: only ready means that everything taken has left.
  [[nodiscard]] Step write(std::string_view text);
  /// What goes into one record, and so is best written at once.
  static constexpr std::size_t kRecordBytes = 16 << 10;

  /// Says that nothing follows, if that can be said at once.
  void finish();

  /// The common name of the peer's certificate; empty if it showed none.
  [[nodiscard]] std::string peer() const;

  /// Why it failed or was lost.
  [[nodiscard]] const std::string& failure() const;
  /// It failed because one side does not accept the certificate of the other.
  [[nodiscard]] bool denied() const;

 private:
  struct Impl;
  explicit TlsStream(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace shoal

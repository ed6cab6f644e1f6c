#include "registry/http/tls_stream.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <new>
#include <system_error>
#include <utility>

namespace shoal {
namespace {

/// Alerts that speak of certificates (RFC 8446, 6.2): bad_certificate to unknown_ca, access_denied,
/// decrypt_error (a signature is not the authority's), certificate_required.
bool is_about_certificates(int alert) {
  return (alert >= 42 && alert <= 46) || alert == 48 || alert == 49 || alert == 51 || alert == 116;
}

constexpr std::size_t kBatchBytes = 4 * TlsStream::kRecordBytes;  // For one system call.
constexpr std::size_t kOverheadBytes = 64;                        // Of a record, at most.
constexpr std::size_t kKeptBytes = 1 << 10;

/// What OpenSSL reads from and writes to. Its output is gathered, so that several records leave
/// together; OpenSSL never has to wait for the socket.
struct Socket {
  int descriptor;
  bool ended = false;
  std::string outgoing{};
  std::size_t left = 0;  // So much of `outgoing` is gone.

  /// Sends what was gathered; false if the socket did not take all of it, and errno says why.
  [[nodiscard]] bool flush();
};

Socket& socket_of(BIO* bio) { return *static_cast<Socket*>(BIO_get_data(bio)); }

bool must_wait() { return errno == EAGAIN || errno == EWOULDBLOCK; }

int read_socket(BIO* bio, char* data, int size) {
  BIO_clear_retry_flags(bio);
  ssize_t count = -1;
  do {
    count = ::recv(socket_of(bio).descriptor, data, static_cast<std::size_t>(size), 0);
  } while (count < 0 && errno == EINTR);
  if (count < 0 && must_wait()) BIO_set_retry_read(bio);
  if (count == 0) socket_of(bio).ended = true;
  return static_cast<int>(count);
}

int gather(BIO* bio, const char* data, int size) {
  BIO_clear_retry_flags(bio);
  socket_of(bio).outgoing.append(data, static_cast<std::size_t>(size));
  return size;
}

/// OpenSSL's own socket BIO would raise SIGPIPE when the peer is gone.
bool Socket::flush() {
  while (left < outgoing.size()) {
    const ssize_t count =
        ::send(descriptor, outgoing.data() + left, outgoing.size() - left, MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return false;
    left += static_cast<std::size_t>(count);
  }
  left = 0;
  outgoing.clear();
  if (outgoing.capacity() > kKeptBytes) outgoing = {};  // Most connections are idle.
  return true;
}

long control_socket(BIO* bio, int command, long, void*) {
  if (command == BIO_CTRL_EOF) return socket_of(bio).ended ? 1 : 0;
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

BIO_METHOD* socket_method() {
  static BIO_METHOD* const method = [] {
    auto* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket");
    if (made == nullptr) throw std::bad_alloc();
    BIO_meth_set_read(made, read_socket);
    BIO_meth_set_write(made, gather);
    BIO_meth_set_ctrl(made, control_socket);
    return made;
  }();
  return method;
}

bool expect_name(SSL* ssl, const std::string& name) {
  auto* const expected = SSL_get0_param(ssl);
  if (X509_VERIFY_PARAM_set1_ip_asc(expected, name.c_str()) == 1) return true;
  ERR_clear_error();
  X509_VERIFY_PARAM_set_hostflags(
      expected, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
  SSL_set_tlsext_host_name(ssl, name.c_str());
  return X509_VERIFY_PARAM_set1_host(expected, name.data(), name.size()) == 1;
}

}  // namespace

struct TlsStream::Impl {
  Impl(std::shared_ptr<ssl_ctx_st> its_context, int descriptor)
      : context(std::move(its_context)),
        socket{descriptor},
        owned(SSL_new(context.get()), SSL_free) {
    BIO* const bio = BIO_new(socket_method());
    if (ssl == nullptr || bio == nullptr) throw std::bad_alloc();
    BIO_set_data(bio, &socket);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl, bio, bio);
  }

  /// What the result of a call means, which must be the last one and have begun with prepare().
  [[nodiscard]] State judge(int result);
  static void prepare() {
    ERR_clear_error();
    errno = 0;
  }
  [[nodiscard]] State give_up();
  /// Ready once all that was gathered has left.
  [[nodiscard]] State flush();

  std::shared_ptr<ssl_ctx_st> context;
  Socket socket;
  std::unique_ptr<SSL, decltype(&SSL_free)> owned;
  SSL* const ssl = owned.get();
  State end = State::ready;  // Else how reading ended, for good.
  std::string failure;
  bool denied = false;
};

TlsStream::State TlsStream::Impl::judge(int result) {
  if (result > 0) return State::ready;
  const int saved = errno;
  switch (SSL_get_error(ssl, result)) {
    case SSL_ERROR_WANT_READ: return State::wants_input;
    case SSL_ERROR_WANT_WRITE: return State::wants_output;
    case SSL_ERROR_ZERO_RETURN: return State::ended;
    case SSL_ERROR_SSL: return give_up();
    default: break;
  }
  failure = saved != 0 && !socket.ended ? std::generic_category().message(saved)
                                        : "the connection was closed";
  return State::lost;
}

TlsStream::State TlsStream::Impl::give_up() {
  const auto error = ERR_peek_error();
  const int reason = ERR_GET_REASON(error);
  const bool of_tls = ERR_GET_LIB(error) == ERR_LIB_SSL;
  if (of_tls && reason == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
    failure = "the connection was closed";
    ERR_clear_error();
    return State::lost;
  }
  const auto verified = SSL_get_verify_result(ssl);
  if (verified != X509_V_OK) {
    failure = X509_verify_cert_error_string(verified);
    denied = true;
  } else {
    const char* const text = ERR_reason_error_string(error);
    failure = text != nullptr ? text : "TLS failed";
    denied = of_tls && is_about_certificates(reason - SSL_AD_REASON_OFFSET);
  }
  ERR_clear_error();
  return State::failed;
}

TlsStream::TlsStream(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TlsStream::~TlsStream() = default;

std::unique_ptr<TlsStream> TlsStream::accept(std::shared_ptr<ssl_ctx_st> context, int descriptor) {
  auto impl = std::make_unique<Impl>(std::move(context), descriptor);
  SSL_set_accept_state(impl->ssl);
  return std::unique_ptr<TlsStream>(new TlsStream(std::move(impl)));
}

std::unique_ptr<TlsStream> TlsStream::connect(std::shared_ptr<ssl_ctx_st> context, int descriptor,
                                              const std::string& name) {
  auto impl = std::make_unique<Impl>(std::move(context), descriptor);
  SSL_set_connect_state(impl->ssl);
  if (!name.empty() && !expect_name(impl->ssl, name)) throw std::bad_alloc();
  return std::unique_ptr<TlsStream>(new TlsStream(std::move(impl)));
}

TlsStream::State TlsStream::Impl::flush() {
  if (socket.flush()) return State::ready;
  if (must_wait()) return State::wants_output;
  failure = std::generic_category().message(errno);
  return State::lost;
}

TlsStream::State TlsStream::handshake() {
  Impl::prepare();
  const State state = impl_->judge(SSL_do_handshake(impl_->ssl));
  // An alert leaves as well, if it can.
  const State flushed = impl_->flush();
  const bool over = state == State::failed || state == State::lost || state == State::ended;
  return over || flushed == State::ready ? state : flushed;
}

TlsStream::Step TlsStream::read(std::span<char> buffer) {
  std::size_t filled = 0;
  while (impl_->end == State::ready && filled < buffer.size()) {
    // A call that has nothing to go on but an empty socket is saved.
    if (filled > 0 && SSL_has_pending(impl_->ssl) == 0) break;
    Impl::prepare();
    std::size_t count = 0;
    const int result =
        SSL_read_ex(impl_->ssl, buffer.data() + filled, buffer.size() - filled, &count);
    filled += count;
    const State state = impl_->judge(result);
    // What TLS itself has to answer; the rest of it leaves with the next write.
    if (!impl_->socket.outgoing.empty()) static_cast<void>(impl_->socket.flush());
    if (state == State::wants_input || state == State::wants_output) {
      return {filled, filled > 0 ? State::ready : state};
    }
    impl_->end = state;
  }
  return {filled, filled > 0 ? State::ready : impl_->end};
}

TlsStream::Step TlsStream::write(std::string_view text) {
  if (const State before = impl_->flush(); before != State::ready) return {0, before};
  const auto size = std::min(text.size(), kBatchBytes);
  impl_->socket.outgoing.reserve(size + kOverheadBytes * (size / kRecordBytes + 1));
  for (std::size_t taken = 0; taken < size;) {
    Impl::prepare();
    std::size_t count = 0;
    const int result = SSL_write_ex(impl_->ssl, text.data() + taken, size - taken, &count);
    taken += count;
    const State state = impl_->judge(result);
    if (state != State::ready) return {taken, state};
  }
  return {size, impl_->flush()};
}

void TlsStream::finish() {
  if (SSL_is_init_finished(impl_->ssl) == 0) return;
  SSL_shutdown(impl_->ssl);
  ERR_clear_error();
  static_cast<void>(impl_->socket.flush());
}

std::string TlsStream::peer() const {
  auto* const certificate = SSL_get0_peer_certificate(impl_->ssl);
  if (certificate == nullptr || SSL_get_verify_result(impl_->ssl) != X509_V_OK) return {};
  if (SSL_get_verify_mode(impl_->ssl) == SSL_VERIFY_NONE) return {};
  auto* const subject = X509_get_subject_name(certificate);
  const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  // With two names nobody can say who it is.
  if (at < 0 || X509_NAME_get_index_by_NID(subject, NID_commonName, at) >= 0) return {};
  unsigned char* text = nullptr;
  const auto* const entry = X509_NAME_get_entry(subject, at);
  const int size = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(entry));
  if (size < 0) return {};
  std::string name(text, text + size);
  OPENSSL_free(text);
  return name.find('\0') == std::string::npos ? name : std::string();
}

const std::string& TlsStream::failure() const { return impl_->failure; }
bool TlsStream::denied() const { return impl_->denied; }

}  // namespace shoal

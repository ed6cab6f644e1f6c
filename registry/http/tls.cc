#include "registry/http/tls.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <algorithm>
#include <cctype>
#include <mutex>
#include <utility>
#include <vector>

namespace shoal {
namespace {

template <auto kFree>
struct Free {
  void operator()(auto* object) const { kFree(object); }
};
using Bio = std::unique_ptr<BIO, Free<BIO_free>>;
using Key = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Free<X509_free>>;

constexpr std::size_t kPinDigits = 64;
// Several records for one system call; given back while a connection has nothing to read.
constexpr std::size_t kReadBufferBytes = 80 << 10;
// The quickest on anything that has the instructions, and as strong as the keys.
constexpr const char* kSuites =
    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";

Bio reader_of(const std::string& text) {
  return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

void free_stack(STACK_OF(X509) * stack) { sk_X509_free(stack); }

/// All certificates of a PEM text; none if there is anything else in it.
std::vector<Certificate> read_certificates(const std::string& text) {
  std::vector<Certificate> certificates;
  const Bio bio = reader_of(text);
  while (auto* next = PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)) {
    certificates.emplace_back(next);
  }
  // The end of the text is an error of its own, and the only one that is none.
  if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE) certificates.clear();
  ERR_clear_error();
  return certificates;
}

Key read_key(const std::string& text) {
  const Bio bio = reader_of(text);
  // Without it, OpenSSL would ask for the passphrase of an encrypted key on the terminal.
  const auto no_passphrase = [](char*, int, int, void*) { return -1; };
  Key key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr));
  ERR_clear_error();
  return key;
}

std::string sha256_of(X509* certificate) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned bytes = 0;
  if (X509_digest(certificate, EVP_sha256(), digest, &bytes) != 1) return {};
  std::string text;
  for (unsigned i = 0; i < bytes; ++i) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    text += kDigits[digest[i] >> 4];
    text += kDigits[digest[i] & 15];
  }
  return text;
}

/// One config as OpenSSL wants it; lives as long as anybody uses `context`.
struct Settings {
  std::unique_ptr<SSL_CTX, Free<SSL_CTX_free>> context;
  std::string pin;
};

/// Verifies with the pinned certificate of the chain, which the peer sent, as the only authority.
int verify_pinned(X509_STORE_CTX* store, void* argument) {
  const auto& pin = static_cast<const Settings*>(argument)->pin;
  auto* const sent = X509_STORE_CTX_get0_untrusted(store);
  const std::unique_ptr<STACK_OF(X509), Free<free_stack>> trusted(sk_X509_new_null());
  for (int i = 0; trusted && i < sk_X509_num(sent); ++i) {
    auto* const certificate = sk_X509_value(sent, i);
    if (sha256_of(certificate) == pin) sk_X509_push(trusted.get(), certificate);
  }
  if (!trusted || sk_X509_num(trusted.get()) == 0) {
    X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_UNTRUSTED);
    return 0;
  }
  X509_STORE_CTX_set0_trusted_stack(store, trusted.get());
  const int verified = X509_verify_cert(store);
  X509_STORE_CTX_set0_trusted_stack(store, nullptr);
  return verified;
}

Result<void> show_certificate(SSL_CTX* context, const TlsConfig& config) {
  const auto chain = read_certificates(config.certificate_pem);
  if (chain.empty()) return fail(Errc::usage, "the TLS certificate is not a PEM certificate");
  const Key key = read_key(config.key_pem);
  if (!key) {
    return fail(Errc::usage, "the TLS certificate's key is not a PEM key without a passphrase");
  }
  if (X509_check_private_key(chain.front().get(), key.get()) != 1) {
    ERR_clear_error();
    return fail(Errc::usage, "the TLS key is not that of the certificate");
  }
  bool taken = SSL_CTX_use_certificate(context, chain.front().get()) == 1 &&
               SSL_CTX_use_PrivateKey(context, key.get()) == 1;
  for (std::size_t i = 1; i < chain.size(); ++i) {
    taken = taken && SSL_CTX_add1_chain_cert(context, chain[i].get()) == 1;
  }
  ERR_clear_error();
  if (!taken) return fail(Errc::usage, "the TLS certificate is of a kind that is not accepted");
  return {};
}

Result<void> trust_authorities(SSL_CTX* context, const TlsConfig& config, bool server) {
  const auto authorities = read_certificates(config.authorities_pem);
  if (authorities.empty()) {
    return fail(Errc::usage, "the TLS authorities are not PEM certificates");
  }
  X509_STORE* const store = SSL_CTX_get_cert_store(context);
  for (const auto& authority : authorities) {
    X509_STORE_add_cert(store, authority.get());
    // Clients learn whose certificates are wanted.
    if (server) SSL_CTX_add_client_CA(context, authority.get());
  }
  // An authority is trusted because it is listed, whoever signed it.
  X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context), X509_V_FLAG_PARTIAL_CHAIN);
  return {};
}

Result<std::string> parse_pin(const std::string& text) {
  std::string pin = text;
  std::transform(pin.begin(), pin.end(), pin.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  const bool hex = pin.find_first_not_of("0123456789abcdef") == std::string::npos;
  if (!hex || pin.size() != kPinDigits) {
    return fail(Errc::usage, "a pinned certificate is written as the 64 hex digits of its SHA-256");
  }
  return pin;
}

Result<std::shared_ptr<SSL_CTX>> build(const TlsConfig& config, bool server) {
  auto settings = std::make_shared<Settings>();
  settings->context.reset(SSL_CTX_new(server ? TLS_server_method() : TLS_client_method()));
  SSL_CTX* const context = settings->context.get();
  if (context == nullptr) return fail(Errc::io, "OpenSSL cannot be used");

  const bool pinned = !config.pinned_sha256.empty();
  const bool between_nodes = pinned || !config.authorities_pem.empty();
  SSL_CTX_set_min_proto_version(context, between_nodes ? TLS1_3_VERSION : TLS1_2_VERSION);
  SSL_CTX_set_ciphersuites(context, kSuites);
  // No session outlives its connection: a certificate that was removed must not come back by one.
  SSL_CTX_set_options(context, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(context, 0);
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_read_ahead(context, 1);
  SSL_CTX_set_default_read_buffer_len(context, kReadBufferBytes);

  if (server || !config.certificate_pem.empty()) {
    if (auto shown = show_certificate(context, config); !shown) {
      return tl::unexpected(shown.error());
    }
  }
  if (pinned) {
    if (server || !config.authorities_pem.empty()) {
      return fail(Errc::usage, "a pinned certificate is for clients without authorities");
    }
    auto pin = parse_pin(config.pinned_sha256);
    if (!pin) return tl::unexpected(pin.error());
    settings->pin = *std::move(pin);
    SSL_CTX_set_cert_verify_callback(context, verify_pinned, settings.get());
    X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context), X509_V_FLAG_PARTIAL_CHAIN);
  } else if (!config.authorities_pem.empty()) {
    if (auto trusted = trust_authorities(context, config, server); !trusted) {
      return tl::unexpected(trusted.error());
    }
  } else if (!server && SSL_CTX_set_default_verify_paths(context) != 1) {
    ERR_clear_error();
    return fail(Errc::usage, "the system's certificate authorities cannot be read");
  }
  const bool verify = !server || !config.authorities_pem.empty();
  SSL_CTX_set_verify(context, verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
  return std::shared_ptr<SSL_CTX>(std::move(settings), context);
}

}  // namespace

struct TlsContext::Impl {
  const bool server;
  mutable std::mutex mutex{};
  std::shared_ptr<SSL_CTX> context{};  // Guarded by the mutex, as is what follows.
  bool pinned = false;
};

TlsContext::TlsContext(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TlsContext::~TlsContext() = default;

Result<std::shared_ptr<TlsContext>> TlsContext::server(const TlsConfig& config) {
  std::shared_ptr<TlsContext> context(new TlsContext(std::unique_ptr<Impl>(new Impl{true})));
  if (auto built = context->replace(config); !built) return tl::unexpected(built.error());
  return context;
}

Result<std::shared_ptr<TlsContext>> TlsContext::client(const TlsConfig& config) {
  std::shared_ptr<TlsContext> context(new TlsContext(std::unique_ptr<Impl>(new Impl{false})));
  if (auto built = context->replace(config); !built) return tl::unexpected(built.error());
  return context;
}

Result<void> TlsContext::replace(const TlsConfig& config) {
  auto built = build(config, impl_->server);
  if (!built) return tl::unexpected(built.error());
  const std::lock_guard lock(impl_->mutex);
  impl_->context = *std::move(built);
  impl_->pinned = !config.pinned_sha256.empty();
  return {};
}

bool TlsContext::pinned() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->pinned;
}

std::shared_ptr<ssl_ctx_st> TlsContext::current() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->context;
}

}  // namespace shoal

#include "orchestrator/trust/authority.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <spdlog/spdlog.h>

#include "orchestrator/trust/node_id.h"
#include "orchestrator/trust/openssl.h"
#include "orchestrator/trust/private_file.h"

namespace shoal {
namespace {

constexpr const char* kFile = "authority.pem";
constexpr std::chrono::seconds kAuthorityLifetime{10L * 365 * 24 * 3600};
constexpr std::size_t kSerialBytes = 16;  // RFC 5280, 4.1.2.2: at most 20, and positive.

struct FreeStore {
  void operator()(X509_STORE* store) const { X509_STORE_free(store); }
  void operator()(X509_STORE_CTX* context) const { X509_STORE_CTX_free(context); }
  void operator()(X509_EXTENSION* extension) const { X509_EXTENSION_free(extension); }
  void operator()(BIGNUM* number) const { BN_free(number); }
};

/// What a certificate says, but for its key.
struct Contents {
  std::string common_name;
  UnixTime from;
  UnixTime to;
  std::vector<std::pair<int, std::string>> extensions;  // In the words of x509v3_config(5).
};

bool set_serial(X509& certificate) {
  auto bytes = openssl::random_bytes(kSerialBytes);
  if (!bytes) return false;
  auto& first = bytes->front();
  first = static_cast<char>((first & 0x3F) | 0x40);  // Positive, and never shorter.
  // NOLINTNEXTLINE: unsigned bytes as char, as OpenSSL's API wants it.
  const auto* const data = reinterpret_cast<const unsigned char*>(bytes->data());
  const std::unique_ptr<BIGNUM, FreeStore> number(BN_bin2bn(data, kSerialBytes, nullptr));
  return number && BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(&certificate)) != nullptr;
}

bool add_name(X509_NAME* name, const char* field, const std::string& value) {
  // NOLINTNEXTLINE: unsigned bytes as char, as OpenSSL's API wants it.
  const auto* const text = reinterpret_cast<const unsigned char*>(value.data());
  return X509_NAME_add_entry_by_txt(name, field, MBSTRING_ASC, text, static_cast<int>(value.size()),
                                    -1, 0) == 1;
}

bool set_time(ASN1_TIME* field, UnixTime time) {
  return ASN1_TIME_set(field, time.time_since_epoch().count()) != nullptr;
}

/// Null when OpenSSL refuses; openssl::last_error() says why.
openssl::Certificate make_certificate(const Contents& contents, EVP_PKEY& key, X509* issuer,
                                      EVP_PKEY& issuer_key) {
  openssl::Certificate certificate(X509_new());
  if (!certificate) return nullptr;
  X509* const x509 = certificate.get();
  X509* const signer = issuer == nullptr ? x509 : issuer;
  X509_NAME* const subject = X509_get_subject_name(x509);
  const bool filled =
      X509_set_version(x509, X509_VERSION_3) == 1 && set_serial(*x509) &&
      add_name(subject, "O", "shoal") && add_name(subject, "CN", contents.common_name) &&
      X509_set_issuer_name(x509, X509_get_subject_name(signer)) == 1 &&
      set_time(X509_getm_notBefore(x509), contents.from) &&
      set_time(X509_getm_notAfter(x509), contents.to) && X509_set_pubkey(x509, &key) == 1;
  if (!filled) return nullptr;
  X509V3_CTX context;
  X509V3_set_ctx(&context, signer, x509, nullptr, nullptr, 0);
  for (const auto& [nid, value] : contents.extensions) {
    const std::unique_ptr<X509_EXTENSION, FreeStore> extension(
        X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()));
    if (!extension || X509_add_ext(x509, extension.get(), -1) != 1) return nullptr;
  }
  return X509_sign(x509, &issuer_key, EVP_sha256()) > 0 ? std::move(certificate) : nullptr;
}

tl::unexpected<Error> refuse(std::string why) {
  return fail(Errc::bad_request, "the signing request is refused: " + std::move(why));
}

/// The key that a request carries, after all checks on it.
Result<openssl::Key> key_of_request(std::string_view pem) {
  const auto request = openssl::read_request(pem);
  if (!request) return refuse("it is not PKCS #10 in PEM");
  openssl::Key key(X509_REQ_get_pubkey(request.get()));
  // Before the signature is looked at: a huge RSA key would make that expensive.
  if (!key || !openssl::is_p256(*key)) return refuse("its key is not one of ECDSA on P-256");
  if (X509_REQ_verify(request.get(), key.get()) != 1) {
    (void)openssl::last_error();
    return refuse("it is not signed by its own key");
  }
  return key;
}

}  // namespace

struct Authority::Impl {
  openssl::Key key;
  openssl::Certificate certificate;
  std::string cluster_id;
  std::string certificate_pem;
  std::string fingerprint;
  const Clock& clock;
};

Authority::Authority(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Authority::~Authority() = default;
Authority::Authority(Authority&&) noexcept = default;
Authority& Authority::operator=(Authority&&) noexcept = default;

const std::string& Authority::cluster_id() const { return impl_->cluster_id; }
const std::string& Authority::certificate_pem() const { return impl_->certificate_pem; }
const std::string& Authority::fingerprint() const { return impl_->fingerprint; }

Result<Authority> Authority::load(const std::filesystem::path& folder, const Clock& clock) {
  const auto path = folder / kFile;
  const auto pem = read_private_file(path);
  if (!pem) return tl::unexpected(pem.error());
  auto key = openssl::read_key(*pem);
  auto certificate = openssl::read_certificate(*pem);
  if (!key || !certificate || X509_check_private_key(certificate.get(), key.get()) != 1) {
    (void)openssl::last_error();
    return fail(Errc::corrupt,
                path.string() + " is not a key and its certificate: restore it from a backup");
  }
  if (openssl::not_after(*certificate) <= clock.now()) {
    return fail(Errc::corrupt, path.string() + " has expired: the cluster needs a new authority");
  }
  auto id = openssl::common_name(*certificate);
  auto text = openssl::to_pem(*certificate);
  auto fingerprint = openssl::fingerprint(*certificate);
  return Authority(
      std::unique_ptr<Impl>(new Impl{std::move(key), std::move(certificate), std::move(id),
                                     std::move(text), std::move(fingerprint), clock}));
}

Result<Authority> Authority::load_or_create(const std::filesystem::path& folder,
                                            const Clock& clock) {
  auto existing = load(folder, clock);
  if (existing || existing.error().code != Errc::member_unknown) return existing;
  const auto id = make_cluster_id();
  if (!id) return tl::unexpected(id.error());
  const auto key = openssl::make_key();
  if (!key) return tl::unexpected(key.error());
  const auto now = clock.now();
  const Contents contents{*id,
                          now - kCertificateBackdate,
                          now + kAuthorityLifetime,
                          {{NID_basic_constraints, "critical,CA:TRUE,pathlen:0"},
                           {NID_key_usage, "critical,keyCertSign,cRLSign"},
                           {NID_subject_key_identifier, "hash"}}};
  const auto certificate = make_certificate(contents, **key, nullptr, **key);
  if (!certificate) {
    return fail(Errc::io, "cannot make the authority's certificate: " + openssl::last_error());
  }
  const auto text = openssl::to_pem(**key) + openssl::to_pem(*certificate);
  if (const auto written = write_private_file(folder / kFile, text); !written) {
    return tl::unexpected(written.error());
  }
  spdlog::info("cluster created cluster={} authority={}", *id, (folder / kFile).string());
  return load(folder, clock);
}

Result<std::string> Authority::check_request(std::string_view request_pem) const {
  const auto key = key_of_request(request_pem);
  if (!key) return tl::unexpected(key.error());
  if (EVP_PKEY_eq(key->get(), impl_->key.get()) == 1) return refuse("its key is the authority's");
  return openssl::fingerprint(**key);
}

Result<std::string> Authority::sign(std::string_view request_pem, const std::string& node_id,
                                    std::chrono::seconds lifetime) const {
  if (!is_node_id(node_id)) return refuse(fmt::format("`{}` is not a node's id", node_id));
  if (lifetime.count() <= 0) return refuse("a certificate must live for a second at least");
  if (const auto checked = check_request(request_pem); !checked) {
    return tl::unexpected(checked.error());
  }
  const auto key = key_of_request(request_pem);
  if (!key) return tl::unexpected(key.error());
  const auto now = impl_->clock.now();
  const Contents contents{node_id,
                          now - kCertificateBackdate,
                          std::min(now + lifetime, openssl::not_after(*impl_->certificate)),
                          {{NID_basic_constraints, "critical,CA:FALSE"},
                           {NID_key_usage, "critical,digitalSignature"},
                           {NID_ext_key_usage, "serverAuth,clientAuth"},
                           {NID_subject_alt_name, "DNS:" + node_id},
                           {NID_subject_key_identifier, "hash"},
                           {NID_authority_key_identifier, "keyid:always"}}};
  const auto certificate = make_certificate(contents, **key, impl_->certificate.get(), *impl_->key);
  if (!certificate) return fail(Errc::io, "cannot sign: " + openssl::last_error());
  return openssl::to_pem(*certificate);
}

Result<std::string> Authority::identify(std::string_view certificate_pem,
                                        std::string_view request_pem) const {
  const auto certificate = openssl::read_certificate(certificate_pem);
  if (!certificate) return fail(Errc::bad_request, "what should be a certificate is none");
  const std::unique_ptr<X509_STORE, FreeStore> store(X509_STORE_new());
  const std::unique_ptr<X509_STORE_CTX, FreeStore> context(X509_STORE_CTX_new());
  const bool ready =
      store && context && X509_STORE_add_cert(store.get(), impl_->certificate.get()) == 1 &&
      X509_STORE_CTX_init(context.get(), store.get(), certificate.get(), nullptr) == 1;
  if (!ready) return fail(Errc::io, "cannot verify: " + openssl::last_error());
  X509_STORE_CTX_set_time(context.get(), 0, impl_->clock.now().time_since_epoch().count());
  if (X509_verify_cert(context.get()) != 1) {
    const int error = X509_STORE_CTX_get_error(context.get());
    (void)openssl::last_error();
    return fail(Errc::denied, fmt::format("the certificate is not a valid one of this cluster: {}",
                                          X509_verify_cert_error_string(error)));
  }
  auto id = openssl::common_name(*certificate);
  if (!is_node_id(id)) return fail(Errc::denied, "the certificate is not a node's");
  const auto requested = key_of_request(request_pem);
  if (!requested) return tl::unexpected(requested.error());
  if (EVP_PKEY_eq(requested->get(), X509_get0_pubkey(certificate.get())) != 1) {
    return fail(Errc::denied, "the signing request of " + id + " is by another key");
  }
  return id;
}

}  // namespace shoal

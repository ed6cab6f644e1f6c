#include "orchestrator/trust/node_identity.h"

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "orchestrator/trust/node_id.h"
#include "orchestrator/trust/openssl.h"
#include "orchestrator/trust/private_file.h"

namespace shoal {
namespace {

constexpr const char* kFile = "node.pem";
constexpr std::string_view kCertificateEnd = "-----END CERTIFICATE-----";

/// Behind the first certificate of `pem`: where the next one is looked for.
std::string_view rest_after_certificate(std::string_view pem) {
  const auto end = pem.find(kCertificateEnd);
  return end == pem.npos ? std::string_view() : pem.substr(end + kCertificateEnd.size());
}

}  // namespace

Result<std::string> make_private_key() {
  const auto key = openssl::make_key();
  if (!key) return tl::unexpected(key.error());
  return openssl::to_pem(**key);
}

Result<std::string> make_signing_request(const std::string& key_pem, const std::string& node_id) {
  const auto key = openssl::read_key(key_pem);
  if (!key) return fail(Errc::bad_request, "the node's key is none");
  const openssl::SigningRequest request(X509_REQ_new());
  // NOLINTNEXTLINE: unsigned bytes as char, as OpenSSL's API wants it.
  const auto* const name = reinterpret_cast<const unsigned char*>(node_id.data());
  const bool made =
      request && X509_REQ_set_version(request.get(), X509_REQ_VERSION_1) == 1 &&
      X509_NAME_add_entry_by_txt(X509_REQ_get_subject_name(request.get()), "CN", MBSTRING_ASC, name,
                                 static_cast<int>(node_id.size()), -1, 0) == 1 &&
      X509_REQ_set_pubkey(request.get(), key.get()) == 1 &&
      X509_REQ_sign(request.get(), key.get(), EVP_sha256()) > 0;
  if (!made) return fail(Errc::io, "cannot make a signing request: " + openssl::last_error());
  return openssl::to_pem(*request);
}

Result<NodeIdentity> NodeIdentity::of(const std::string& key_pem,
                                      const std::string& certificate_pem,
                                      const std::string& authority_pem) {
  const auto key = openssl::read_key(key_pem);
  const auto certificate = openssl::read_certificate(certificate_pem);
  const auto authority = openssl::read_certificate(authority_pem);
  if (!key || !certificate || !authority) {
    return fail(Errc::corrupt, "a node's identity is a key and two certificates in PEM");
  }
  if (X509_check_private_key(certificate.get(), key.get()) != 1) {
    (void)openssl::last_error();
    return fail(Errc::corrupt, "the node's certificate is not that of its key");
  }
  if (X509_verify(certificate.get(), X509_get0_pubkey(authority.get())) != 1) {
    (void)openssl::last_error();
    return fail(Errc::corrupt, "the node's certificate is not signed by the cluster's authority");
  }
  NodeIdentity identity;
  identity.node_id = openssl::common_name(*certificate);
  if (!is_node_id(identity.node_id)) {
    return fail(Errc::corrupt, "the node's certificate does not name a node");
  }
  identity.cluster_id = openssl::common_name(*authority);
  identity.key_pem = openssl::to_pem(*key);
  identity.certificate_pem = openssl::to_pem(*certificate);
  identity.authority_pem = openssl::to_pem(*authority);
  identity.authority_fingerprint = openssl::fingerprint(*authority);
  identity.issued = openssl::not_before(*certificate) + kCertificateBackdate;
  identity.expires = openssl::not_after(*certificate);
  return identity;
}

Result<NodeIdentity> NodeIdentity::load(const std::filesystem::path& folder) {
  const auto path = folder / kFile;
  const auto pem = read_private_file(path);
  if (!pem) return tl::unexpected(pem.error());
  auto identity = of(*pem, *pem, std::string(rest_after_certificate(*pem)));
  if (identity) return identity;
  return fail(Errc::corrupt, path.string() + ": " + identity.error().message);
}

Result<void> NodeIdentity::save(const std::filesystem::path& folder) const {
  return write_private_file(folder / kFile, key_pem + certificate_pem + authority_pem);
}

Result<NodeIdentity> NodeIdentity::issue(const Authority& authority, const std::string& node_id,
                                         std::chrono::seconds lifetime) {
  const auto key = make_private_key();
  if (!key) return tl::unexpected(key.error());
  const auto request = make_signing_request(*key, node_id);
  if (!request) return tl::unexpected(request.error());
  const auto certificate = authority.sign(*request, node_id, lifetime);
  if (!certificate) return tl::unexpected(certificate.error());
  return of(*key, *certificate, authority.certificate_pem());
}

Result<std::string> NodeIdentity::make_csr() const {
  return make_signing_request(key_pem, node_id);
}

Result<NodeIdentity> NodeIdentity::renewed(const std::string& next_certificate_pem) const {
  auto next = of(key_pem, next_certificate_pem, authority_pem);
  if (!next || next->node_id == node_id) return next;
  return fail(Errc::corrupt, "the new certificate is that of another node, " + next->node_id);
}

TlsConfig NodeIdentity::tls() const {
  TlsConfig config;
  config.certificate_pem = certificate_pem + authority_pem;
  config.key_pem = key_pem;
  config.authorities_pem = authority_pem;
  return config;
}

}  // namespace shoal

#pragma once

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>

namespace shoal {

/// A certificate and its key, as PEM.
struct TestIdentity {
  std::string certificate_pem;
  std::string key_pem;
};

/// Makes certificates as a cluster's authority does, and some as it would not. Throws.
class TestAuthority {
 public:
  using Seconds = std::chrono::seconds;

  explicit TestAuthority(const std::string& name = "test authority")
      : key_(EVP_EC_gen("P-256")), certificate_(X509_new()) {
    fill(certificate_.get(), key_.get(), name, Seconds(-3'600), Seconds(86'400));
    extend(certificate_.get(), NID_basic_constraints, "critical,CA:TRUE");
    extend(certificate_.get(), NID_key_usage, "critical,keyCertSign,cRLSign");
    sign(certificate_.get(), certificate_.get());
  }

  [[nodiscard]] std::string certificate_pem() const { return pem_of(certificate_.get()); }

  /// The SHA-256 of its certificate's DER, in hex: a pin.
  [[nodiscard]] std::string sha256() const {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned bytes = 0;
    check(X509_digest(certificate_.get(), EVP_sha256(), digest, &bytes));
    std::string text;
    for (unsigned i = 0; i < bytes; ++i) {
      text += "0123456789abcdef"[digest[i] >> 4];
      text += "0123456789abcdef"[digest[i] & 15];
    }
    return text;
  }

  /// A certificate for both ends, valid `from` now `until` then. The common name is `name`;
  /// `names` is the subjectAltName in OpenSSL's words (x509v3_config(5)), "" for DNS:`name`. The
  /// PEM has the authority's certificate behind the leaf.
  [[nodiscard]] TestIdentity issue(const std::string& name, const std::string& names = "",
                                   Seconds from = Seconds(-3'600),
                                   Seconds until = Seconds(3'600)) const {
    const Key key(EVP_EC_gen("P-256"));
    const Certificate leaf(X509_new());
    fill(leaf.get(), key.get(), name, from, until);
    extend(leaf.get(), NID_basic_constraints, "critical,CA:FALSE");
    extend(leaf.get(), NID_ext_key_usage, "serverAuth,clientAuth");
    extend(leaf.get(), NID_subject_alt_name, names.empty() ? "DNS:" + name : names);
    sign(leaf.get(), certificate_.get());
    return {pem_of(leaf.get()) + certificate_pem(), pem_of(key.get())};
  }

 private:
  struct Free {
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
    void operator()(X509* certificate) const { X509_free(certificate); }
    void operator()(BIO* bio) const { BIO_free(bio); }
    void operator()(X509_EXTENSION* extension) const { X509_EXTENSION_free(extension); }
  };
  using Key = std::unique_ptr<EVP_PKEY, Free>;
  using Certificate = std::unique_ptr<X509, Free>;
  using Bio = std::unique_ptr<BIO, Free>;

  static void check(int result) {
    if (result <= 0) throw std::runtime_error("OpenSSL cannot make the test's certificates");
  }

  static void fill(X509* certificate, EVP_PKEY* key, const std::string& name, Seconds from,
                   Seconds until) {
    check(X509_set_version(certificate, X509_VERSION_3));
    std::uint64_t serial = 0;
    check(RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof serial));
    check(ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), serial));
    X509_gmtime_adj(X509_getm_notBefore(certificate), static_cast<long>(from.count()));
    X509_gmtime_adj(X509_getm_notAfter(certificate), static_cast<long>(until.count()));
    check(X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_UTF8,
                                     reinterpret_cast<const unsigned char*>(name.data()),
                                     static_cast<int>(name.size()), -1, 0));
    check(X509_set_pubkey(certificate, key));
  }

  static void extend(X509* certificate, int kind, const std::string& value) {
    const std::unique_ptr<X509_EXTENSION, Free> extension(
        X509V3_EXT_conf_nid(nullptr, nullptr, kind, value.c_str()));
    check(extension ? 1 : 0);
    check(X509_add_ext(certificate, extension.get(), -1));
  }

  void sign(X509* certificate, X509* issuer) const {
    check(X509_set_issuer_name(certificate, X509_get_subject_name(issuer)));
    check(X509_sign(certificate, key_.get(), EVP_sha256()));
  }

  static std::string text_of(BIO* bio) {
    char* text = nullptr;
    const auto size = BIO_get_mem_data(bio, &text);
    return {text, static_cast<std::size_t>(size)};
  }
  static std::string pem_of(X509* certificate) {
    const Bio bio(BIO_new(BIO_s_mem()));
    check(PEM_write_bio_X509(bio.get(), certificate));
    return text_of(bio.get());
  }
  static std::string pem_of(EVP_PKEY* key) {
    const Bio bio(BIO_new(BIO_s_mem()));
    check(PEM_write_bio_PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr));
    return text_of(bio.get());
  }

  Key key_;
  Certificate certificate_;
};

}  // namespace shoal

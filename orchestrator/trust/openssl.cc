#include "orchestrator/trust/openssl.h"

#include <ctime>

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>

#include "storage/digest.h"

namespace shoal::openssl {
namespace {

struct FreeBio {
  void operator()(BIO* bio) const { BIO_free(bio); }
};
using Bio = std::unique_ptr<BIO, FreeBio>;

/// Encrypted PEM would otherwise be asked for on the terminal.
int no_password(char*, int, int, void*) { return -1; }

template <class Read>
auto read_pem(std::string_view pem, Read read) {
  const Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  auto* const object = bio ? read(bio.get(), nullptr, no_password, nullptr) : nullptr;
  ERR_clear_error();
  return object;
}

template <class Write>
std::string write_pem(Write write) {
  const Bio bio(BIO_new(BIO_s_mem()));
  if (!bio || write(bio.get()) != 1) return {};
  char* data = nullptr;
  const auto size = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

std::string sha256_hex(const unsigned char* bytes, int size) {
  // NOLINTNEXTLINE: unsigned bytes as char, as OpenSSL's API wants it.
  const auto* const text = reinterpret_cast<const char*>(bytes);
  const auto digest = Digest::of({text, static_cast<std::size_t>(size)}).to_string();
  return digest.substr(digest.find(':') + 1);
}

template <class Encode>
std::string der_fingerprint(Encode encode) {
  unsigned char* der = nullptr;
  const int size = encode(&der);
  if (size <= 0) return {};
  auto hex = sha256_hex(der, size);
  OPENSSL_free(der);
  return hex;
}

UnixTime to_unix(const ASN1_TIME* time) {
  std::tm parts{};
  if (time == nullptr || ASN1_TIME_to_tm(time, &parts) != 1) return UnixTime{};
  return UnixTime(std::chrono::seconds(::timegm(&parts)));
}

}  // namespace

void Free::operator()(evp_pkey_st* key) const { EVP_PKEY_free(key); }
void Free::operator()(x509_st* certificate) const { X509_free(certificate); }
void Free::operator()(X509_req_st* request) const { X509_REQ_free(request); }

std::string last_error() {
  char text[256] = "unknown";
  const auto code = ERR_get_error();
  if (code != 0) ERR_error_string_n(code, text, sizeof text);
  ERR_clear_error();
  return text;
}

Result<std::string> random_bytes(std::size_t count) {
  std::string bytes(count, '\0');
  // NOLINTNEXTLINE: unsigned bytes as char, as OpenSSL's API wants it.
  auto* const data = reinterpret_cast<unsigned char*>(bytes.data());
  if (RAND_bytes(data, static_cast<int>(count)) == 1) return bytes;
  return fail(Errc::io, "no random numbers can be had: " + last_error());
}

Result<Key> make_key() {
  Key key(EVP_EC_gen("P-256"));
  if (!key) return fail(Errc::io, "cannot make a key: " + last_error());
  return key;
}

Key read_key(std::string_view pem) { return Key(read_pem(pem, PEM_read_bio_PrivateKey)); }
Certificate read_certificate(std::string_view pem) {
  return Certificate(read_pem(pem, PEM_read_bio_X509));
}
SigningRequest read_request(std::string_view pem) {
  return SigningRequest(read_pem(pem, PEM_read_bio_X509_REQ));
}

std::string to_pem(evp_pkey_st& key) {
  return write_pem([&](BIO* bio) {
    return PEM_write_bio_PKCS8PrivateKey(bio, &key, nullptr, nullptr, 0, nullptr, nullptr);
  });
}
std::string to_pem(x509_st& certificate) {
  return write_pem([&](BIO* bio) { return PEM_write_bio_X509(bio, &certificate); });
}
std::string to_pem(X509_req_st& request) {
  return write_pem([&](BIO* bio) { return PEM_write_bio_X509_REQ(bio, &request); });
}

std::string fingerprint(x509_st& certificate) {
  return der_fingerprint([&](unsigned char** out) { return i2d_X509(&certificate, out); });
}
std::string fingerprint(evp_pkey_st& public_key) {
  return der_fingerprint([&](unsigned char** out) { return i2d_PUBKEY(&public_key, out); });
}

std::string common_name(x509_st& certificate) {
  X509_NAME* const name = X509_get_subject_name(&certificate);
  const int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
  if (at < 0 || X509_NAME_get_index_by_NID(name, NID_commonName, at) >= 0) return {};
  unsigned char* utf8 = nullptr;
  const int size =
      ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
  if (size < 0) return {};
  // NOLINTNEXTLINE: unsigned bytes as char, as OpenSSL's API wants it.
  std::string text(reinterpret_cast<const char*>(utf8), static_cast<std::size_t>(size));
  OPENSSL_free(utf8);
  return text;
}

UnixTime not_before(x509_st& certificate) { return to_unix(X509_get0_notBefore(&certificate)); }
UnixTime not_after(x509_st& certificate) { return to_unix(X509_get0_notAfter(&certificate)); }

bool is_p256(evp_pkey_st& key) {
  char group[64] = "";
  std::size_t size = 0;
  return EVP_PKEY_get_base_id(&key) == EVP_PKEY_EC &&
         EVP_PKEY_get_group_name(&key, group, sizeof group, &size) == 1 &&
         std::string_view(group, size) == "prime256v1";
}

}  // namespace shoal::openssl

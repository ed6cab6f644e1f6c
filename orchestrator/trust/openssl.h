#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "storage/clock.h"
#include "storage/error.h"

struct X509_req_st;
struct evp_pkey_st;
struct x509_st;

/// OpenSSL's objects and their texts, for the sources of this folder: keys on P-256, which every
/// TLS 1.3 must speak (RFC 8446, 9.1), certificates and signing requests as PEM (RFC 7468).
namespace shoal::openssl {

struct Free {
  void operator()(evp_pkey_st* key) const;
  void operator()(x509_st* certificate) const;
  void operator()(X509_req_st* request) const;
};
using Key = std::unique_ptr<evp_pkey_st, Free>;
using Certificate = std::unique_ptr<x509_st, Free>;
using SigningRequest = std::unique_ptr<X509_req_st, Free>;

/// Why OpenSSL's last calls on this thread failed, for a message; forgets it.
[[nodiscard]] std::string last_error();

/// Fails with io when the machine has no randomness to give.
[[nodiscard]] Result<std::string> random_bytes(std::size_t count);
[[nodiscard]] Result<Key> make_key();

/// The first of its kind in `pem`, whatever else that holds; null: there is none.
[[nodiscard]] Key read_key(std::string_view pem);
[[nodiscard]] Certificate read_certificate(std::string_view pem);
[[nodiscard]] SigningRequest read_request(std::string_view pem);

[[nodiscard]] std::string to_pem(evp_pkey_st& key);
[[nodiscard]] std::string to_pem(x509_st& certificate);
[[nodiscard]] std::string to_pem(X509_req_st& request);

/// 64 hex digits: SHA-256 of the certificate's DER, and of the key's SubjectPublicKeyInfo.
[[nodiscard]] std::string fingerprint(x509_st& certificate);
[[nodiscard]] std::string fingerprint(evp_pkey_st& public_key);

/// Empty when there is not exactly one.
[[nodiscard]] std::string common_name(x509_st& certificate);
[[nodiscard]] UnixTime not_before(x509_st& certificate);
[[nodiscard]] UnixTime not_after(x509_st& certificate);

/// On P-256, and so neither weak nor made to keep us busy.
[[nodiscard]] bool is_p256(evp_pkey_st& key);

}  // namespace shoal::openssl

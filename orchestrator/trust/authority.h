#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "storage/clock.h"
#include "storage/error.h"

namespace shoal {

/// The certificates of nodes: at most so long before now they begin, for clocks that go wrong.
inline constexpr std::chrono::seconds kCertificateBackdate{300};
inline constexpr std::chrono::seconds kCertificateLifetime{30L * 24 * 3600};

/// The cluster's certificate authority (RFC 5280): a P-256 key and a self-signed certificate of ten
/// years whose common name is the cluster's id. Lives in one file, `authority.pem` (key and
/// certificate, mode 0600), so that there is either all of it or none. Whoever has that file can
/// make members; it is worth a backup. Immutable, thread-safe.
class Authority {
 public:
  /// Fails with member_unknown when the folder has none, with corrupt or io.
  [[nodiscard]] static Result<Authority> load(const std::filesystem::path& folder,
                                              const Clock& clock = Clock::system());
  /// Creates it, and with it a new cluster's id, when the folder has none.
  [[nodiscard]] static Result<Authority> load_or_create(const std::filesystem::path& folder,
                                                        const Clock& clock = Clock::system());
  ~Authority();
  Authority(Authority&&) noexcept;
  Authority& operator=(Authority&&) noexcept;

  [[nodiscard]] const std::string& cluster_id() const;
  [[nodiscard]] const std::string& certificate_pem() const;
  /// SHA-256 of the certificate's DER, 64 hex digits: what join tokens carry.
  [[nodiscard]] const std::string& fingerprint() const;

  /// The SHA-256 of the public key in a signing request (PKCS #10) that its own key has signed, and
  /// that is on P-256. Fails with bad_request.
  [[nodiscard]] Result<std::string> check_request(std::string_view request_pem) const;

  /// A certificate for the key of such a request: common name and only DNS name the node's id, for
  /// TLS clients and servers, never one that signs others; whatever else the request asks for is
  /// left out. Valid for `lifetime`, and never longer than the authority.
  /// Fails with bad_request (also when `node_id` is none, or the key is the authority's own) or io.
  [[nodiscard]] Result<std::string> sign(std::string_view request_pem, const std::string& node_id,
                                         std::chrono::seconds lifetime) const;

  /// Whose certificate this is, if this authority signed it, it is valid now, and its key has
  /// signed `request_pem`: so only the node itself can ask for its next certificate, whoever passes
  /// the request on. Fails with denied or bad_request.
  [[nodiscard]] Result<std::string> identify(std::string_view certificate_pem,
                                             std::string_view request_pem) const;

 private:
  struct Impl;
  explicit Authority(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace shoal

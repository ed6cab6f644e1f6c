#pragma once

#include <filesystem>
#include <string>

#include "orchestrator/trust/authority.h"
#include "registry/http/tls.h"
#include "storage/clock.h"
#include "storage/error.h"

namespace shoal {

/// A fresh private key, PKCS #8 in PEM. Fails with io.
[[nodiscard]] Result<std::string> make_private_key();
/// A signing request (PKCS #10) of that key. Fails with bad_request or io.
[[nodiscard]] Result<std::string> make_signing_request(const std::string& key_pem,
                                                       const std::string& node_id);

/// Who a node is, and how it proves it: a value. It is kept in one file, `node.pem` (mode 0600):
/// the key, the node's certificate (its common name is the node's id), the authority's (its common
/// name is the cluster's id), so that they always fit each other.
struct NodeIdentity {
  std::string node_id;
  std::string cluster_id;
  std::string key_pem;
  std::string certificate_pem;
  std::string authority_pem;
  std::string authority_fingerprint;  // SHA-256, 64 hex digits.
  UnixTime issued{};
  UnixTime expires{};

  /// Checks that the parts fit each other; fails with corrupt. Time is not looked at.
  [[nodiscard]] static Result<NodeIdentity> of(const std::string& key_pem,
                                               const std::string& certificate_pem,
                                               const std::string& authority_pem);
  /// Fails with member_unknown when the folder has none, with corrupt or io.
  [[nodiscard]] static Result<NodeIdentity> load(const std::filesystem::path& folder);
  [[nodiscard]] Result<void> save(const std::filesystem::path& folder) const;

  /// The identity of a node that has the authority itself: the one that creates the cluster.
  [[nodiscard]] static Result<NodeIdentity> issue(const Authority& authority,
                                                  const std::string& node_id,
                                                  std::chrono::seconds lifetime);

  /// This key's request for its next certificate.
  [[nodiscard]] Result<std::string> make_csr() const;
  /// The same identity with its next certificate; fails with corrupt when that is another's.
  [[nodiscard]] Result<NodeIdentity> renewed(const std::string& next_certificate_pem) const;

  /// What this node shows and whom it trusts, as client and as server: its certificate with the
  /// authority's behind it, so that a joining node finds the fingerprint it knows in the chain.
  [[nodiscard]] TlsConfig tls() const;
};

}  // namespace shoal

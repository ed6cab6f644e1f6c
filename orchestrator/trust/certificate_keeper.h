#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "orchestrator/trust/node_identity.h"
#include "registry/http/tls.h"

namespace shoal {

/// Renews this node's certificate when a third of its lifetime is left (and up to a tenth of it
/// earlier, by chance: nodes that joined together do not renew together), saves it, and gives it to
/// the TLS contexts: open connections go on, later ones show the new one. What fails is tried again
/// and again, with growing pauses, and logged. Has a thread. Thread-safe.
class CertificateKeeper {
 public:
  /// The next certificate (PEM) for the same key and node: by the own authority, or another
  /// member's (renew_certificate()). Called from the keeper's thread; may block.
  using Renew = std::function<Result<std::string>(const NodeIdentity&)>;

  /// `folder` is where `identity` was saved. The contexts are those of servers and clients.
  CertificateKeeper(NodeIdentity identity, std::filesystem::path folder,
                    std::shared_ptr<TlsContext> server, std::shared_ptr<TlsContext> client,
                    Renew renew);
  /// Waits for a call of `renew` that is under way.
  ~CertificateKeeper();

  [[nodiscard]] NodeIdentity identity() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace shoal

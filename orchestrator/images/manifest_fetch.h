#pragma once

#include <vector>

#include "p2p/directory.h"
#include "p2p/peer_clients.h"
#include "storage/store.h"

namespace shoal {

/// Brings manifests from other nodes into the own store. Thread-safe; calls block on the net.
class ManifestFetch {
 public:
  /// All must outlive it.
  ManifestFetch(Store& store, Directory& directory, PeerClients& clients)
      : store_(store), directory_(directory), clients_(clients) {}

  /// Asks the holders in turn; the content is checked against its digest, and a holder that gives
  /// another one is passed over and named in the log. `tags` name it in the own store afterwards.
  /// Fails with manifest_unknown (no node has it), unavailable (none of those that have it, or may,
  /// answers), disk_full, quota_exceeded or io.
  [[nodiscard]] Result<void> fetch(const Repository& repository, const Digest& digest,
                                   const std::vector<Tag>& tags);

 private:
  [[nodiscard]] Result<void> fetch_from(const std::string& peer, const Repository& repository,
                                        const Digest& digest, const std::vector<Tag>& tags);

  Store& store_;
  Directory& directory_;
  PeerClients& clients_;
};

}  // namespace shoal

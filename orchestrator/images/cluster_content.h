#pragma once

#include "orchestrator/images/cluster_names.h"
#include "orchestrator/images/manifest_fetch.h"
#include "orchestrator/images/replicas.h"
#include "p2p/fetch/blob_fetch.h"
#include "p2p/directory.h"
#include "storage/elsewhere.h"

namespace shoal {

/// What lies beyond this node's store: the names in the cluster's state, and the content of the
/// other members.
class ClusterContent : public Elsewhere {
 public:
  struct Parts {
    Store& store;
    ClusterNames& names;
    ManifestFetch& manifests;
    BlobFetch& blobs;
    Replicas& replicas;
    Directory& directory;
    PeerClients& clients;
    Peers& peers;
    Durability durability;
  };
  /// All of it must outlive this.
  explicit ClusterContent(Parts parts) : parts_(parts) {}

  [[nodiscard]] Result<Digest> resolve(const Repository& repository, const Tag& tag) override;
  [[nodiscard]] Result<Page<Manifests::TagEntry>> tags(const Repository& repository,
                                                       const std::string& after,
                                                       std::size_t limit) override;
  [[nodiscard]] Result<Page<std::string>> repositories(const std::string& after,
                                                       std::size_t limit) override;
  [[nodiscard]] Result<void> fetch_manifest(const Repository& repository, const Digest& digest,
                                            const std::vector<Tag>& tags) override;
  [[nodiscard]] Result<BlobInfo> stat(const Repository& repository, const Digest& digest) override;
  [[nodiscard]] Result<std::shared_ptr<BlobReader>> open(const Repository& repository,
                                                         const Digest& digest) override;
  [[nodiscard]] Result<void> fetch(const Repository& repository, const Digest& digest) override;
  [[nodiscard]] Result<void> publish(const Repository& repository, const ManifestInfo& manifest,
                                     const std::vector<Tag>& tags) override;
  [[nodiscard]] Result<void> untag(const Repository& repository, const Tag& tag) override;
  [[nodiscard]] Result<void> remove(const Repository& repository, const Digest& digest) override;
  [[nodiscard]] Result<void> remove_blob(const Repository& repository,
                                         const Digest& digest) override;

 private:
  [[nodiscard]] std::size_t remove_from_holders(const Digest& digest, const std::string& target);

  const Parts parts_;
};

}  // namespace shoal

#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <boost/asio/thread_pool.hpp>

#include "orchestrator/images/cluster_names.h"
#include "orchestrator/images/copy_jobs.h"
#include "orchestrator/images/image_parts.h"
#include "orchestrator/images/manifest_fetch.h"
#include "orchestrator/images/replica_policy.h"
#include "p2p/fetch/blob_fetch.h"
#include "registry/http/message.h"

namespace shoal {

struct ReplicasConfig {
  ReplicaPolicy policy;
  std::chrono::seconds repair_delay{30};      // From a change of members to a pass of repair.
  std::chrono::seconds repair_interval{600};  // Between two passes where nothing changed.
  std::chrono::seconds progress_timeout{60};  // A copy that does not move for so long has failed.
};

/// What the replicas work with; all of it must outlive them.
struct ReplicasParts {
  Store& store;
  ClusterNames& names;
  Peers& peers;
  Directory& directory;
  PeerClients& clients;
  ManifestFetch& manifests;
  BlobFetch& blobs;
  asio::thread_pool& pool;  // Where blocking work of requests runs.
};

/// Keeps as many copies of each tagged image as the policy asks for.
///
/// A copy is made by the node that shall have it: it is told whose image it is, and fetches what it
/// lacks. Repair needs no leader: of the nodes that hold an image, the first in its own ranking
/// looks after it, so each image has one keeper, and another one when that dies.
///
/// A pass of repair goes over the own store and asks the directory. The cluster's state is asked
/// only by the keeper of an image that is short: what a pass costs the others is what was lost.
///
/// Thread-safe. Has threads of its own: one for repair and a few for copies.
class Replicas {
 public:
  Replicas(ReplicasConfig config, ReplicasParts parts);
  /// Calls stop().
  ~Replicas();

  /// Has the image, which this node holds, copied until the policy's number of live nodes hold it;
  /// says how many do. Fails with unavailable when fewer do and no node that could take a copy is
  /// left: the message says why each refused.
  [[nodiscard]] Result<std::size_t> replicate(const Repository& repository, const Digest& manifest,
                                              const std::vector<Tag>& tags);
  /// The same in the background; what fails is left to repair.
  void replicate_later(const Repository& repository, const Digest& manifest,
                       const std::vector<Tag>& tags);

  /// POST /cluster/v1/replicate?repository=&digest=&from=ID&tag=...: this node shall hold the image
  /// of the node `from`. Answers within seconds, 200 {"ended":bool,"steps":n} or the error that
  /// ended it; whoever wants to see it through asks again.
  [[nodiscard]] asio::awaitable<Response> serve(Request& request);

  struct Status {
    unsigned wanted = 0;           // Copies, where no pattern says otherwise.
    std::uint64_t images = 0;      // Manifests it looks after, as of the last pass of repair;
    std::uint64_t short_here = 0;  // of these, those with too few copies after it.
    std::uint64_t copies = 0;      // Made by this node's order since it started.
    bool checked = false;          // There was a pass since the members last changed.
  };
  [[nodiscard]] Status status() const;

  /// Whether this node may let the content go (is_expendable()). May block.
  [[nodiscard]] bool expendable(const Digest& digest);

  /// Ends repair and copies. Calls of `clients` that are under way must be interrupted first.
  void stop();

 private:
  struct Image {
    Repository repository;
    Digest manifest;
    std::vector<Tag> tags;
  };
  enum class Care { not_ours, enough, short_of_copies, unsure };
  /// The cluster's tags of a manifest of one repository, asked for only where copies are missing.
  using TagsOf = std::function<Result<std::vector<Tag>>(const Digest& manifest)>;

  void repair();
  [[nodiscard]] bool pass();
  [[nodiscard]] Result<bool> look_after(const Repository& repository, Status& counted);
  [[nodiscard]] Care care_for(Image image, const TagsOf& tags_of);
  [[nodiscard]] Care make_copies(const Image& image, std::set<std::string> holders);
  [[nodiscard]] std::vector<Peer> missing_copies(const Image& image,
                                                 const std::set<std::string>& holders,
                                                 const std::set<std::string>& refused) const;
  [[nodiscard]] Result<std::size_t> spread(const Image& image, std::set<std::string> holders);
  [[nodiscard]] Result<void> copy_to(const std::string& peer, const Image& image);
  [[nodiscard]] Result<void> name_here(const Image& image);
  [[nodiscard]] Result<void> receive(const Image& image, const std::string& from,
                                     std::atomic<std::uint64_t>& steps,
                                     const std::atomic<bool>& stop);
  [[nodiscard]] bool holds(const Image& image, const ImageParts& parts);

  const ReplicasConfig config_;
  const ReplicasParts parts_;
  CopyJobs jobs_;

  mutable std::mutex mutex_;  // Guards what is below.
  std::condition_variable wake_;
  bool changed_ = true;
  bool stopping_ = false;
  Status status_;
  std::shared_ptr<void> subscription_;
  std::thread repair_;
};

}  // namespace shoal

#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "p2p/announce_plan.h"
#include "p2p/directory_table.h"
#include "p2p/hints.h"
#include "p2p/peer_clients.h"

namespace shoal {

struct DirectoryConfig {
  DirectoryTableConfig table;
  /// So long after its start a directory node may not have been told everything yet.
  std::chrono::seconds young{90};
  /// Content that no directory node knows is asked for at every peer, if the cluster has at most
  /// so many others,
  std::size_t small_cluster = 8;
  /// or if a directory node is young or silent: then at so many peers at most.
  std::size_t ask_peers_max = 32;
  std::size_t ask_digests_max = 64;  // So many digests of one lookup are asked for like this.
};

/// Where content is, by the knowledge of all: each digest has kDirectories directory nodes, the
/// first of its rendezvous order, to which its holders announce themselves. Who fetches a digest
/// tells these, too, so that all who fetch the same find each other before one of them has it.
///
/// Thread-safe. Calls block on the net, and end within the progress timeout of `clients` for each
/// directory node that is silent.
class Directory {
 public:
  /// All must outlive it. `table` is this node's own share of the directory; a thread keeps it in
  /// step with the live set.
  Directory(DirectoryConfig config, Peers& peers, PeerClients& clients, DirectoryTable& table);
  ~Directory();

  struct Found {
    std::vector<std::string> holders;  // Live, without this node, shuffled.
    /// False: somebody who may know could not be asked, so that there may be other holders.
    bool sure = true;
    /// Those that fetch it now and may have parts of it: live, without this node and the holders,
    /// first those that few others were told of.
    std::vector<std::string> fetchers{};
  };
  /// The holders of each digest, in the order asked for; no fetchers.
  [[nodiscard]] std::vector<Found> lookup(const std::vector<Digest>& digests);
  [[nodiscard]] Found lookup(const Digest& digest);

  /// The holders and the fetchers of each digest, in the order asked for; and tells its directory
  /// nodes that this node fetches it now. They believe it for fetch_memory (DirectoryTableConfig):
  /// call again before that, for as long as it is so, also to hear of those that came later. There
  /// is nothing to call at the end.
  ///
  /// All who fetch a digest ask the same directory node first, the next only where the ones before
  /// were silent or knew no holder.
  [[nodiscard]] std::vector<Found> join(const std::vector<Digest>& digests);

  /// For a minute or two, lookup() and join() name `peer` too for these digests, if it lives.
  void hint(const std::vector<Digest>& digests, const std::string& peer) {
    hints_.add(digests, peer);
  }

  /// Brings an announcement to a directory node, which may be this one: for Announcer.
  [[nodiscard]] Result<AnnounceAnswer> announce(const std::string& peer, const Announce& message);

 private:
  struct Search;

  [[nodiscard]] std::vector<Found> search(const std::vector<Digest>& digests, bool fetches);
  [[nodiscard]] std::vector<Found> search_some(std::span<const Digest> digests, bool fetches);
  [[nodiscard]] Result<LookupAnswer> ask_directory(const std::string& peer, const Lookup& message);
  void ask_directories(Search& search);
  void ask_peers(Search& search);
  void keep_table();

  const DirectoryConfig config_;
  Peers& peers_;
  PeerClients& clients_;
  DirectoryTable& table_;
  Hints hints_;

  std::mutex mutex_;
  std::condition_variable wake_;
  bool changed_ = false;
  bool stopping_ = false;
  std::shared_ptr<void> subscription_;
  std::thread keeper_;
};

}  // namespace shoal

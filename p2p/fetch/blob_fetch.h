#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "p2p/barred_peers.h"
#include "p2p/fetch/blob_copy.h"
#include "p2p/holder_reader.h"
#include "p2p/swarm/swarm.h"
#include "storage/store.h"

namespace shoal {

struct BlobFetchConfig {
  /// So long a holder is not asked that gave content which does not match its digest; shorter when
  /// several had a part in it, and it is not known who was wrong.
  std::chrono::milliseconds barred{600'000};
  std::chrono::milliseconds barred_in_company{30'000};
  /// A client that reads so slowly gives its transfer away to whoever waits for the content.
  std::chrono::milliseconds stall{60'000};
};

/// Brings content from other nodes into the own store: by the swarm, or from a holder over HTTPS
/// what is too small for that, or has no torrent that can be had. Of each digest one transfer at a
/// time is stored, however many want it. Nothing becomes content of the store before its digest
/// was verified.
///
/// Thread-safe; calls block on the net and the disk.
class BlobFetch {
 public:
  /// All must outlive it; without a swarm (null) everything comes over HTTPS.
  BlobFetch(BlobFetchConfig config, Store& store, Directory& directory, PeerClients& clients,
            Swarm* swarm);
  /// No call may be under way, and all readers must be gone.
  ~BlobFetch();

  /// What other nodes say of the content, and keep it for a while (as Blobs::stat() does). Fails as
  /// HolderReader::open() does.
  [[nodiscard]] Result<BlobInfo> stat(const Digest& digest);

  /// Makes the content a blob of `repository`, here; durable on return. If the store has it, only
  /// the link is made. A transfer that is under way is waited for. Content with another digest is
  /// thrown away, its holder is barred for a while and named in the log, and another one is tried
  /// from the start.
  /// Fails as HolderReader::read() and SwarmTransfer::wait() do, or with disk_full, quota_exceeded
  /// or io.
  [[nodiscard]] Result<void> fetch(const Repository& repository, const Digest& digest,
                                   SwarmClass of_class = SwarmClass::demand);

  /// Begins to fetch by the swarm what of these is not here, in the background.
  void begin(const Repository& repository, const std::vector<Digest>& digests);

  /// Opens the content for a client. If the store has it, that is a reader of the store (and it is
  /// linked in `repository`). Else, by the swarm:
  ///
  /// - The reader gives what has come and waits for what has not, wherever it reads. The transfer
  ///   goes on without it, and the content is a blob of `repository` in the end.
  /// - One that reads from the start on is given the last piece only when the whole is verified and
  ///   durable: no client gets to the end of content with another digest, the last read() then
  ///   fails with digest_invalid.
  /// - When the transfer fails (no peer gives anything, the disk is full) the reader goes on at a
  ///   holder.
  ///
  /// And over HTTPS:
  ///
  /// - The first that reads from the start stores what it reads. When it has read to the end, the
  ///   content is a blob of `repository`, under the same promise for the last bytes.
  /// - If it is destroyed before, or reads elsewhere, what came is dropped (soon, by a thread of
  ///   its own): whoever waits in fetch() starts anew.
  /// - Others that read meanwhile, and ranges, store nothing.
  /// - When the disk is full the client gets its bytes all the same; the log has a warning. These
  ///   bytes, and those of readers that store nothing, are not verified here: clients do that.
  ///
  /// The reader must not outlive this object. Fails as HolderReader::open() does.
  [[nodiscard]] Result<std::shared_ptr<BlobReader>> open(const Repository& repository,
                                                         const Digest& digest);

  struct Status {
    std::uint64_t transfers;  // That are being stored now,
    std::uint64_t stored;     // that became content,
    std::uint64_t bytes;      // and their bytes.
    std::uint64_t wrong;      // Contents that did not match their digest.
  };
  [[nodiscard]] Status status() const;
  /// Bytes that came and were appended so far, of all stored transfers: grows as long as one moves.
  [[nodiscard]] std::uint64_t moved() const;

 private:
  class Flight;
  class Ownership;
  class Reader;
  class SwarmReader;

  [[nodiscard]] std::shared_ptr<Flight> board(const Digest& digest, bool revocable, bool& owner);
  void land(const Digest& digest, const std::shared_ptr<Flight>& flight);
  [[nodiscard]] Result<bool> link_stored(const Repository& repository, const Digest& digest);
  /// Nothing: the swarm cannot bring it.
  [[nodiscard]] std::optional<Result<void>> fetch_by_swarm(const Repository& repository,
                                                           const Digest& digest,
                                                           SwarmClass of_class);
  [[nodiscard]] Result<void> transfer(const Repository& repository, const Digest& digest);
  [[nodiscard]] Result<std::unique_ptr<HolderReader>> open_holder(const Digest& digest);
  [[nodiscard]] Directory::Found find(const Digest& digest, std::set<std::string>& barred);
  void bar(const std::set<std::string>& sources, const Digest& digest);
  void note_stored(const BlobInfo& info, const std::set<std::string>& sources,
                   std::chrono::steady_clock::time_point started);
  void drop_later(std::unique_ptr<BlobCopy> copy);
  void drop_copies();

  const BlobFetchConfig config_;
  Store& store_;
  Directory& directory_;
  PeerClients& clients_;
  Swarm* const swarm_;

  BarredPeers barred_;
  std::atomic<std::uint64_t> moved_{0};
  mutable std::mutex mutex_;
  std::map<Digest, std::shared_ptr<Flight>> flights_;
  Status done_{};

  // Clients leave on I/O threads, which must not wait for the disk.
  std::condition_variable wake_;
  std::vector<std::unique_ptr<BlobCopy>> dropped_;
  bool stopping_ = false;
  std::thread dropper_;
};

}  // namespace shoal

#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "bench/sim/event_queue.h"
#include "bench/sim/random.h"
#include "p2p/announce_plan.h"
#include "p2p/directory_table.h"
#include "p2p/rendezvous.h"

namespace shoal::sim {

/// Who holds and who fetches what: the product's own tables, at the nodes where rendezvous hashing
/// puts them, told by the holders' own AnnouncePlan. Counts what goes over the net for it.
///
/// A holder's plan knows those members alone that are directory nodes of some blob of the world:
/// they are the same that it would choose from all, and a plan with a lane to each of 15,000 nodes
/// on each of 15,000 hosts does not fit in this machine. What is left out are the empty messages by
/// which a node learns whether it is still known (bench/directory.h counts these).
class SimDirectory {
 public:
  SimDirectory(std::vector<std::string> ids, std::vector<Digest> digests, std::uint64_t seed);

  /// As Directory::join() of the product: of each blob, who holds it and who else fetches it,
  /// each in random order. A directory node that does not live is passed over.
  struct Found {
    std::vector<std::uint32_t> holders, fetchers;
  };
  [[nodiscard]] std::vector<Found> join(std::uint32_t host, const std::vector<std::uint32_t>& blobs,
                                        Time now);

  /// The host holds the blob from now on. When to call announce() next; nothing: then not.
  [[nodiscard]] std::optional<Time> holds(std::uint32_t host, std::uint32_t blob, Time now);
  /// Sends what the host has to tell and is due. Likewise.
  [[nodiscard]] std::optional<Time> announce(std::uint32_t host, Time now);

  /// It is as if it had been known for long: nothing is sent for it.
  void held_before(std::uint32_t host, std::uint32_t blob);
  void die(std::uint32_t host) { lives_[host] = false; }

  struct Traffic {
    std::uint64_t requests = 0, bytes = 0;  // Sent by it and answered to it: bodies, both ways,
    std::uint64_t served = 0, served_bytes = 0;  // and what it answered itself.
  };
  [[nodiscard]] const std::vector<Traffic>& traffic() const { return traffic_; }
  /// The most lookups that one node answered within one second.
  [[nodiscard]] std::uint64_t burst() const { return burst_; }
  /// Of the table that has the most: pairs of digest and fetcher, and of digest and holder.
  [[nodiscard]] DirectoryTable::Usage largest_table() const;

 private:
  void count(std::uint32_t from, std::uint32_t to, std::size_t bytes);
  [[nodiscard]] AnnouncePlan& plan_of(std::uint32_t host, Time now);
  [[nodiscard]] std::vector<std::uint32_t> indexes(const std::vector<std::string>& ids,
                                                   std::uint32_t self) const;

  const std::vector<std::string> ids_;
  const std::vector<Digest> digests_;
  std::unordered_map<std::string, std::uint32_t> index_;
  std::vector<std::vector<std::uint32_t>> directories_;  // Of each blob, in order.
  std::vector<std::string> all_directories_;
  std::map<std::uint32_t, std::unique_ptr<DirectoryTable>> tables_;  // By host.
  std::unordered_map<std::uint32_t, std::unique_ptr<AnnouncePlan>> plans_;
  std::vector<bool> lives_;
  std::vector<Traffic> traffic_;
  std::map<std::pair<std::uint32_t, std::int64_t>, std::uint64_t> by_second_;
  std::uint64_t burst_ = 0;
  Random random_;
};

}  // namespace shoal::sim

#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "p2p/directory_messages.h"
#include "p2p/rendezvous.h"

namespace shoal {

struct DirectoryTableConfig {
  /// Pairs of digest and holder that are known at most. A digest with up to three holders takes
  /// about 64 bytes, each holder beyond that 4 to 8 more.
  std::size_t entries_max = 4'000'000;
  /// So long a holder may be missing from the live set before what it told is forgotten, and a
  /// digest be another node's before it is. Longer than nodes may differ about who lives.
  std::chrono::seconds grace{60};
  /// So long after it last said so a node is taken to be fetching a digest.
  std::chrono::seconds fetch_memory{60};
  /// Pairs of digest and fetcher that are known at most, of up to 200 bytes each: the oldest make
  /// room for new ones.
  std::size_t fetchers_max = 200'000;
};

/// What a directory node knows: who holds which digest, and who fetches it now. Soft state, in
/// memory alone: holders tell it again when they or the directory node start anew.
///
/// A digest is kept as the first 16 bytes of its hash (with its algorithm mixed in). It only says
/// whom to ask: should two digests ever share these, the wrong one answers 404.
///
/// A holder tells in epochs. What it told in the epoch before stays valid until it says that the
/// new one is complete: so that a holder that starts anew is never unknown in between.
///
/// A fetcher says so with each lookup, and is forgotten a while after the last one. Who holds a
/// digest is never a fetcher of it.
///
/// Thread-safe; never blocks for long.
class DirectoryTable {
 public:
  using Time = std::chrono::steady_clock::time_point;

  /// `boot` names this process among all that ran under this node id.
  DirectoryTable(DirectoryTableConfig config, std::uint64_t boot);

  /// Calls `restarted` with the id and the boot id of each holder that shows another boot id than
  /// before; during apply(), so it must only post.
  using Restarted = std::function<void(const std::string& holder, std::uint64_t boot)>;
  void on_restart(Restarted restarted);

  /// Takes a message in. One that came late (an older epoch or sequence) changes nothing.
  [[nodiscard]] AnnounceAnswer apply(const Announce& message, Time now);

  /// The holders of each digest, at most kLookupHoldersMax of each: others at each call if there
  /// are more.
  ///
  /// `asker`: the node that asks, if it fetches these digests now. It is remembered as such, and
  /// told the others that fetch them, at most kLookupFetchersMax of each: first those that few were
  /// told of. Without one no fetchers are named.
  [[nodiscard]] LookupAnswer lookup(const std::vector<Digest>& digests,
                                    const std::string& asker = {},
                                    Time now = std::chrono::steady_clock::now());

  /// Who lives now. Forgets the holders that have been away for the grace, and the digests that
  /// have been those of `count` other nodes than `self` for so long. When it should be called again
  /// at the latest, even if nothing changes; nothing: then not.
  [[nodiscard]] std::optional<Time> live(const Rendezvous& peers, const std::string& self,
                                         std::size_t count, Time now);

  struct Usage {
    std::size_t digests;
    std::size_t entries;  // Pairs of digest and holder.
    std::size_t holders;
    std::uint64_t refused;  // Adds that found no room.
    std::size_t fetchers;   // Pairs of digest and fetcher.
  };
  [[nodiscard]] Usage usage() const;

 private:
  struct Key {
    std::uint64_t word;  // rendezvous_word(), with which the table is pruned.
    std::uint64_t rest;  // The next eight bytes of the hash, and the algorithm.
    bool operator==(const Key&) const = default;
  };
  struct KeyHash {
    std::size_t operator()(const Key& key) const noexcept { return key.rest; }
  };
  /// A set of slots; three fit in without memory of their own.
  class Slots {
   public:
    [[nodiscard]] bool empty() const { return few_[0] == 0; }
    [[nodiscard]] std::size_t size() const;
    [[nodiscard]] bool contains(std::uint32_t slot) const;
    /// False if it was there.
    bool insert(std::uint32_t slot);
    /// False if it was not there.
    bool erase(std::uint32_t slot);
    void append_to(std::vector<std::uint32_t>& slots) const;

   private:
    std::array<std::uint32_t, 3> few_{};  // Filled from the front; 0 is no slot.
    std::unique_ptr<std::vector<std::uint32_t>> more_;
  };
  struct Holder {
    std::uint64_t boot = 0;
    std::uint64_t epoch = 0;
    std::uint64_t sequence = 0;
    std::uint32_t slot = 0;      // What was told in this epoch,
    std::uint32_t previous = 0;  // and what only in the one before; 0: nothing.
    std::optional<Time> absent;  // From the live set, since then.

    [[nodiscard]] bool is_in(const Slots& slots) const;
  };
  /// Who fetches what. Pairs are kept in the order of their last add(), from which they expire.
  class Fetchers {
   public:
    /// Or moves it to the end. If there are `max`, the oldest makes room.
    void add(const Key& key, const std::string& id, Time now, std::size_t max);
    void remove(const Key& key, const std::string& id);
    /// Forgets what was added last at `until` or before.
    void expire(Time until);
    /// At most `max` of a key without `id`, first those that few were told of.
    [[nodiscard]] std::vector<std::string> others(const Key& key, const std::string& id,
                                                  std::size_t max, std::minstd_rand& random);
    [[nodiscard]] std::size_t size() const { return pairs_.size(); }

   private:
    /// A node's id, once for all its pairs, and how many these are.
    using Node = std::pair<const std::string, std::size_t>;
    struct Pair {
      Key key;
      Node* node;
      Time added;
    };
    using Place = std::list<Pair>::iterator;
    /// `node` again: to find one among the many of a key without a look at each of their pairs.
    struct OfKey {
      const Node* node;
      Place place;
      std::uint32_t named;  // To others, among the first of theirs: so often.
    };

    void forget(Place place);

    std::list<Pair> pairs_;  // Oldest first.
    std::unordered_map<Key, std::vector<OfKey>, KeyHash> keys_;
    std::unordered_map<std::string, std::size_t> nodes_;
  };

  [[nodiscard]] static Key key_of(const Digest& digest);
  [[nodiscard]] std::uint32_t new_slot(const std::string& holder);
  void add(Holder& holder, const Digest& digest, bool& full);
  void remove(const Holder& holder, const Digest& digest);
  void sweep(const std::vector<std::uint32_t>& slots);
  void expire_fetchers(Time now);
  /// False if there is more to do.
  [[nodiscard]] bool prune_some(const Rendezvous& peers, const std::string& self,
                                std::size_t count);

  const DirectoryTableConfig config_;
  const std::uint64_t boot_;
  const Time started_ = std::chrono::steady_clock::now();

  std::mutex restarted_mutex_;
  Restarted restarted_;

  mutable std::mutex mutex_;
  std::unordered_map<Key, Slots, KeyHash> digests_;
  std::unordered_map<std::string, Holder> holders_;
  std::vector<std::string> slots_ = {""};  // Whose they are; "": free.
  std::vector<std::uint32_t> free_slots_;
  Fetchers fetchers_;
  std::size_t entries_ = 0;
  std::uint64_t refused_ = 0;
  std::vector<std::string> known_live_;
  std::optional<Time> prune_;  // When digests of other nodes are to be forgotten,
  std::size_t prune_at_ = 0;   // and from which bucket on: piece by piece, or lookups would wait.
  std::minstd_rand random_;
};

}  // namespace shoal

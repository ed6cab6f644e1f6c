#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "p2p/directory_messages.h"
#include "p2p/rendezvous.h"
#include "storage/page.h"

namespace shoal {

/// How many directory nodes each digest has.
inline constexpr std::size_t kDirectories = 3;

struct AnnounceConfig {
  std::size_t digests_max = kAnnounceDigestsMax;  // Per message.
  std::chrono::milliseconds interval{1000};       // At least so long between messages to one node.
  std::chrono::milliseconds linger{50};           // Changes gather for so long.
  std::size_t messages_per_second = 32;           // To all nodes together.
  std::size_t queue_max = 4 * kAnnounceDigestsMax;  // Digests that wait for one node.
  std::size_t page = 1024;                          // Digests that are read from the store at once.
  /// A node that had nothing to tell sends an empty message after so long (and 100 ms for each
  /// peer, which bounds their number), to learn whether it is still known there.
  std::chrono::milliseconds refresh{60'000};
  std::chrono::milliseconds retry_first{1000};  // After a failure; doubles,
  std::chrono::milliseconds retry_max{30'000};  // up to this.
};

/// Decides what to tell which directory node and when: the announcer without its threads, its
/// store and its net, so that a simulation runs the same code. One thread at a time.
///
/// Each peer has a lane: the digests that changed and were not yet acknowledged. What a lane needs
/// beyond that is found by passes over all that the store lists, one after the other:
///
/// - A lane that starts over (the peer is new, restarted, lost what it knew, or was away until its
///   lane was full) gets the whole share of the peer in a new epoch, and then the word "complete".
/// - When the members changed, each digest goes to those of its directory nodes that were not its
///   directory nodes when the last pass began. Changes during a pass wait for the next one.
class AnnouncePlan {
 public:
  using Time = std::chrono::steady_clock::time_point;

  struct Message {
    std::string peer;
    Announce announce;
  };

  /// `boot` names this process. `epoch` is the number of the first epoch: above all that former
  /// processes used, where the clock allows.
  AnnouncePlan(AnnounceConfig config, std::string self, std::uint64_t boot, std::uint64_t epoch);

  /// The live nodes, this one included.
  void members(std::vector<std::string> ids, Time now);

  /// Content came or went. Call only while there is room().
  void changed(const Digest& digest, bool held, Time now);
  /// False while a lane is full that is being served: then changes must wait.
  [[nodiscard]] bool room() const;

  /// Changes were missed: all lanes start over.
  void start_over(Time now);
  /// The peer is now the process `boot`, which was told nothing unless it answered as that before.
  void restarted(const std::string& peer, std::uint64_t boot, Time now);

  /// The page that a pass needs next: strictly after `after`, at most `limit` digests. Nothing when
  /// no pass is needed, or when the lanes are full.
  struct Wanted {
    std::optional<Digest> after;
    std::size_t limit;
  };
  [[nodiscard]] std::optional<Wanted> wanted();
  /// That page.
  void listed(const Page<Digest>& page, Time now);

  /// The next message that is due; nothing: none is. A lane has one message under way at most: for
  /// each message delivered() or failed() must be called.
  [[nodiscard]] std::optional<Message> take(Time now);
  void delivered(const Message& message, const AnnounceAnswer& answer, Time now);
  void failed(const Message& message, Time now);

  /// When take() may give something next, if nothing else happens; nothing: then not.
  [[nodiscard]] std::optional<Time> next() const;

  /// Everything is told, but for peers that do not answer.
  [[nodiscard]] bool settled() const;
  /// Digests that wait, and lanes that do not answer.
  struct Backlog {
    std::size_t digests;
    std::size_t silent;
  };
  [[nodiscard]] Backlog backlog() const;

 private:
  struct Lane {
    std::unordered_map<Digest, bool> pending;  // true: held. The last word of each digest.
    std::uint64_t epoch = 0;
    std::uint64_t sequence = 0;
    std::uint64_t boot = 0;      // As the peer answered last; 0: not yet.
    bool share_wanted = true;    // A pass must begin for it.
    bool complete_owed = false;  // The pass has ended.
    bool acknowledged = false;   // Some message of this epoch was.
    bool busy = false;           // A message is under way.
    unsigned failures = 0;       // In a row.
    Time not_before{};           // The interval, or the pause after a failure.
    Time due{};                  // Pending changes have gathered by then.
    Time refresh{};
  };
  struct Pass {
    Rendezvous from;  // Before it.
    Rendezvous to;
    std::set<std::string> whole;  // Lanes that get all of their share.
    std::optional<Digest> cursor;
    Time::duration pause;  // Before what it finds is told.
  };

  void start_over(Lane& lane, Time now);
  void enqueue(Lane& lane, const Digest& digest, bool held, Time due, Time now);
  [[nodiscard]] Time::duration refresh_after();
  [[nodiscard]] Time::duration random_pause(std::chrono::milliseconds max);
  [[nodiscard]] bool served(const Lane& lane) const { return lane.failures == 0; }
  [[nodiscard]] std::optional<Time> due(const Lane& lane) const;
  [[nodiscard]] bool needs_pass() const;
  void end_pass(Time now);

  const AnnounceConfig config_;
  const std::string self_;
  const std::uint64_t boot_;
  std::uint64_t next_epoch_;
  Rendezvous current_;
  Rendezvous told_;  // The members of the last pass that was begun.
  std::optional<Pass> pass_;
  std::map<std::string, Lane> lanes_;
  std::string turn_;    // The lane that was served last: the others come before it.
  Time tokens_from_{};  // messages_per_second: the next one may leave then.
  std::minstd_rand random_;
};

}  // namespace shoal

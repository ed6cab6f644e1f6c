#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "p2p/announce_plan.h"
#include "p2p/peers.h"
#include "storage/store.h"

namespace shoal {

/// Tells each digest's directory nodes whether this node holds it: all that the store holds at the
/// start and on a change of the members (announce_plan.h), and then each change from its feed. Has
/// threads of its own: one that decides, and a few that send.
class Announcer {
 public:
  /// Brings a message to a directory node, which may be this one. May block; from several threads.
  using Send =
      std::function<Result<AnnounceAnswer>(const std::string& peer, const Announce& message)>;

  /// Starts at once. `store` and `peers` must outlive it. `boot` names this process.
  Announcer(AnnounceConfig config, Store& store, Peers& peers, std::uint64_t boot, Send send);
  /// Calls stop().
  ~Announcer();

  /// Returns when no message is under way any more: whoever carries them must end their waits.
  /// Idempotent.
  void stop();

  /// A peer is now another process, which was told nothing yet. Never blocks for long.
  void restarted(const std::string& peer, std::uint64_t boot);

  /// Waits until those that are directory nodes by now know what the store's feed said before this
  /// call, except for those that do not answer. Fails with timed_out.
  [[nodiscard]] Result<void> flush(std::chrono::milliseconds timeout);

  struct Status {
    std::uint64_t messages;  // That were delivered,
    std::uint64_t digests;   // and the digests in them.
    std::uint64_t failures;
    AnnouncePlan::Backlog backlog;
  };
  [[nodiscard]] Status status() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace shoal

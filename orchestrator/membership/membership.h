#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "orchestrator/membership/member.h"
#include "orchestrator/state/state.h"
#include "p2p/peers.h"

namespace shoal {

/// The time that a lease of liveness has in a cluster of so many members: `ttl_min`, and more where
/// all members together would beat more often than 500 times a second. A beat is due every third of
/// it, and up to three tenths of that later, by chance.
[[nodiscard]] std::chrono::seconds lease_ttl(std::size_t members, std::chrono::seconds ttl_min);

struct MembershipConfig {
  std::chrono::seconds ttl_min{15};
  /// A file for what was last known of the members: a node that starts while the state is away
  /// goes on with that. Empty: nothing is remembered.
  std::filesystem::path memory;
};

/// A member and what is known of it.
struct NodeView {
  Member member;
  bool live = false;
  bool drained = false;
  bool self = false;
};

/// This node's place in the cluster, and what it knows of the others. It keeps `nodes/<self>` as it
/// should be and `live/<self>` under a lease that its own thread renews, and follows all of
/// `members/` by one watch. A lease that was lost (the machine slept, the state was away) is taken
/// anew. While the state is away, what was last known stands: members, live set, removals.
///
/// A node that finds itself removed says so in the log once, gives its lease back and is alone from
/// then on. Thread-safe.
class Membership : public Peers {
 public:
  /// Begins at once, also when the state is away. Labels of `self` are set over those in the state;
  /// the others there, and the time of joining, stay. `state` must outlive it.
  Membership(State& state, Member self, MembershipConfig config = {});
  /// Calls stop().
  ~Membership() override;

  /// An orderly end: revokes the lease, so that the others know at once. Waits for a call to the
  /// state that is under way. Idempotent.
  void stop();

  /// The live members; this node is always among them.
  [[nodiscard]] std::shared_ptr<const PeerSet> now() const override;
  [[nodiscard]] std::shared_ptr<void> subscribe(std::function<void()> changed) override;

  /// Whether this node's lease stands and the members are known; waits up to `patience` for it.
  [[nodiscard]] bool wait_until_live(std::chrono::milliseconds patience) const;

  /// By what the watch said last; never block.
  [[nodiscard]] bool is_member(const std::string& id) const;
  [[nodiscard]] bool is_removed(const std::string& id) const;
  [[nodiscard]] bool is_self_removed() const;

  /// Whether a node with a valid certificate of that name may act as a member: as the watch says,
  /// and for a name it has not told of yet, as the state says now. May block. Fails with denied
  /// (removed, or no member) or as State::get() does.
  [[nodiscard]] Result<void> admit(const std::string& id);

  /// All members, live or not, sorted by id.
  [[nodiscard]] std::vector<NodeView> nodes() const;
  /// Fails with member_unknown.
  [[nodiscard]] Result<NodeView> node(const std::string& id) const;

  /// What this node says of itself has changed (its addresses, its engine); written soon.
  void describe(Member self);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace shoal

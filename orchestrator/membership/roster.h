#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "orchestrator/membership/member.h"
#include "orchestrator/state/state.h"
#include "p2p/peers.h"

namespace shoal {

/// What the state says below `members/`, put together from the events of a watch. Not thread-safe.
class Roster {
 public:
  /// Whether the live members, or what peers() says of them, changed.
  bool apply(const StateEvent& event);

  /// What is known, as a text that outlives the process; and back. A roster from a text is not
  /// known(), and nothing when the text is not one of write()'s.
  [[nodiscard]] std::string write() const;
  [[nodiscard]] static std::optional<Roster> read(std::string_view text);

  /// Whether there was a first list.
  [[nodiscard]] bool known() const { return known_; }
  [[nodiscard]] const std::map<std::string, Member>& members() const { return members_; }
  [[nodiscard]] bool is_member(const std::string& id) const;
  [[nodiscard]] bool is_live(const std::string& id) const { return live_.count(id) > 0; }
  [[nodiscard]] bool is_removed(const std::string& id) const { return removed_.count(id) > 0; }
  [[nodiscard]] bool is_drained(const std::string& id) const { return drained_.count(id) > 0; }

  /// Members that live, and `self` as the state describes it, or else as it does itself.
  [[nodiscard]] std::shared_ptr<const PeerSet> peers(const Member& self) const;

 private:
  bool set(const StateEntry& entry);
  bool erase(const std::string& key);
  bool set_member(const std::string& id, const std::string& value);
  [[nodiscard]] bool counts(const std::string& id) const { return is_live(id) && is_member(id); }

  bool known_ = false;
  std::map<std::string, Member> members_;
  std::set<std::string> live_;
  std::set<std::string> removed_;
  std::set<std::string> drained_;
};

}  // namespace shoal

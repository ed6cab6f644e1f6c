#pragma once

#include <map>
#include <optional>
#include <string>

#include "orchestrator/membership/member.h"
#include "orchestrator/state/state.h"

namespace shoal {

// What people change about members, in the state, by compare-and-set; all nodes hear of it by their
// watches. All calls block, and fail with member_unknown or as the state does.

/// Sets labels, and takes those away that have no value. The record as it is then. Fails with
/// bad_request too.
using LabelChanges = std::map<std::string, std::optional<std::string>>;
[[nodiscard]] Result<Member> label_member(State& state, const std::string& id,
                                          const LabelChanges& changes);

/// A drained node stays a member; nothing new is placed on it.
[[nodiscard]] Result<void> drain_member(State& state, const std::string& id, bool on);

/// The node's certificate is refused from now on, for ever, on all nodes. Once more is a success.
/// Fails with conflict for a node that the cluster cannot do without (its state, its authority).
[[nodiscard]] Result<void> remove_member(State& state, const std::string& id);

}  // namespace shoal

#include "orchestrator/membership/roster.h"

#include <algorithm>
#include <optional>
#include <string_view>

#include <spdlog/spdlog.h>

#include "orchestrator/keys.h"

namespace shoal {
namespace {

/// What follows `prefix` in `key`; nothing when it does not begin so.
std::optional<std::string> id_below(std::string_view prefix, std::string_view key) {
  if (!key.starts_with(prefix)) return std::nullopt;
  return std::string(key.substr(prefix.size()));
}

}  // namespace

void Roster::apply(const StateEvent& event) {
  if (const auto* const relisted = std::get_if<StateRelisted>(&event)) {
    *this = Roster();
    known_ = true;
    for (const auto& entry : relisted->entries) set(entry);
    return;
  }
  for (const auto& change : std::get<StateChanged>(event).changes) {
    if (change.erased) {
      erase(change.entry.key);
    } else {
      set(change.entry);
    }
  }
}

void Roster::set(const StateEntry& entry) {
  if (const auto id = id_below(state_keys::kLive, entry.key)) live_.insert(*id);
  if (const auto id = id_below(state_keys::kRemoved, entry.key)) removed_.insert(*id);
  if (const auto id = id_below(state_keys::kDrain, entry.key)) drained_.insert(*id);
  const auto id = id_below(state_keys::kNodes, entry.key);
  if (!id) return;
  auto member = parse_member(entry.value);
  if (!member) {
    // The node stays a member as it was known, if it was: a damaged record locks nobody out.
    spdlog::warn("member record not understood node={} error=\"{}\"", *id, member.error().message);
    members_[*id].id = *id;
    return;
  }
  member->id = *id;
  members_[*id] = *std::move(member);
}

void Roster::erase(const std::string& key) {
  if (const auto id = id_below(state_keys::kNodes, key)) members_.erase(*id);
  if (const auto id = id_below(state_keys::kLive, key)) live_.erase(*id);
  if (const auto id = id_below(state_keys::kRemoved, key)) removed_.erase(*id);
  if (const auto id = id_below(state_keys::kDrain, key)) drained_.erase(*id);
}

bool Roster::is_member(const std::string& id) const {
  return members_.count(id) > 0 && !is_removed(id);
}

std::shared_ptr<const PeerSet> Roster::peers(const Member& self) const {
  auto set = std::make_shared<PeerSet>();
  set->self = self.id;
  const auto own = members_.find(self.id);
  set->peers.push_back(to_peer(own == members_.end() ? self : own->second));
  for (const auto& id : live_) {
    const auto member = members_.find(id);
    if (id == self.id || member == members_.end() || is_removed(id)) continue;
    set->peers.push_back(to_peer(member->second));
  }
  std::sort(set->peers.begin(), set->peers.end(),
            [](const Peer& a, const Peer& b) { return a.id < b.id; });
  return set;
}

}  // namespace shoal

#include "orchestrator/membership/roster.h"

#include <algorithm>
#include <utility>

#include <spdlog/spdlog.h>
#include <nlohmann/json.hpp>

#include "orchestrator/keys.h"

namespace shoal {
namespace {

/// What follows `prefix` in `key`; nothing when it does not begin so.
std::optional<std::string> id_below(std::string_view prefix, std::string_view key) {
  if (!key.starts_with(prefix)) return std::nullopt;
  return std::string(key.substr(prefix.size()));
}

}  // namespace

bool Roster::apply(const StateEvent& event) {
  if (const auto* const relisted = std::get_if<StateRelisted>(&event)) {
    const Roster before = std::exchange(*this, Roster());
    known_ = true;
    for (const auto& entry : relisted->entries) set(entry);
    return before.peers({})->peers != peers({})->peers;
  }
  bool changed = false;
  for (const auto& change : std::get<StateChanged>(event).changes) {
    const bool differs = change.erased ? erase(change.entry.key) : set(change.entry);
    changed = changed || differs;
  }
  return changed;
}

bool Roster::set(const StateEntry& entry) {
  if (const auto id = id_below(state_keys::kNodes, entry.key)) return set_member(*id, entry.value);
  if (const auto id = id_below(state_keys::kLive, entry.key)) {
    return live_.insert(*id).second && counts(*id);
  }
  if (const auto id = id_below(state_keys::kRemoved, entry.key)) {
    const bool counted = counts(*id);
    return removed_.insert(*id).second && counted;
  }
  if (const auto id = id_below(state_keys::kDrain, entry.key)) drained_.insert(*id);
  return false;
}

bool Roster::set_member(const std::string& id, const std::string& value) {
  auto parsed = parse_member(value);
  const auto [place, fresh] = members_.try_emplace(id);
  Member& known = place->second;
  known.id = id;
  if (!parsed) {
    // The node stays a member as it was known, if it was: a damaged record locks nobody out.
    spdlog::warn("member record not understood node={} error=\"{}\"", id, parsed.error().message);
    return fresh && counts(id);
  }
  parsed->id = id;
  const bool differs = fresh || to_peer(known) != to_peer(*parsed);
  known = *std::move(parsed);
  return differs && counts(id);
}

bool Roster::erase(const std::string& key) {
  if (const auto id = id_below(state_keys::kNodes, key)) {
    const bool counted = counts(*id);
    return members_.erase(*id) > 0 && counted;
  }
  if (const auto id = id_below(state_keys::kLive, key)) {
    const bool counted = counts(*id);
    return live_.erase(*id) > 0 && counted;
  }
  if (const auto id = id_below(state_keys::kRemoved, key)) removed_.erase(*id);
  if (const auto id = id_below(state_keys::kDrain, key)) drained_.erase(*id);
  return false;
}

std::string Roster::write() const {
  auto json = nlohmann::ordered_json::object();
  for (const auto& [id, member] : members_) json[state_keys::node(id)] = to_json(member);
  for (const auto& id : live_) json[state_keys::live(id)] = "";
  for (const auto& id : removed_) json[state_keys::removed(id)] = "";
  for (const auto& id : drained_) json[state_keys::drain(id)] = "";
  return json.dump();
}

std::optional<Roster> Roster::read(std::string_view text) {
  const auto json = nlohmann::ordered_json::parse(text, nullptr, false);
  if (!json.is_object()) return std::nullopt;
  Roster roster;
  for (const auto& [key, value] : json.items()) {
    if (!value.is_string()) return std::nullopt;
    roster.set({key, value.get<std::string>(), 0, 0, 0});
  }
  return roster;
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

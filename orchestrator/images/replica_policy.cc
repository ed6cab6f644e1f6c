#include "orchestrator/images/replica_policy.h"

#include <fnmatch.h>

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

namespace shoal {
namespace {

constexpr unsigned kReplicasMax = 1000;

/// The label's value; peers without the label share the empty one.
std::string value_of(const Peer& peer, const std::string& label) {
  const auto found = peer.labels.find(label);
  return found == peer.labels.end() ? std::string() : found->second;
}

}  // namespace

unsigned ReplicaPolicy::replicas_of(const Repository& repository) const {
  for (const auto& [pattern, count] : patterns) {
    if (::fnmatch(pattern.c_str(), repository.text().c_str(), 0) == 0) return count;
  }
  return replicas;
}

unsigned ReplicaPolicy::replicas_max() const {
  unsigned most = replicas;
  for (const auto& [pattern, count] : patterns) most = std::max(most, count);
  return most;
}

Result<std::pair<std::string, unsigned>> parse_replica_pattern(std::string_view text) {
  const auto equals = text.rfind('=');
  const auto digits = equals == text.npos ? std::string_view() : text.substr(equals + 1);
  unsigned count = 0;
  const auto* const end = digits.data() + digits.size();
  const auto parsed = std::from_chars(digits.data(), end, count);
  const bool whole = parsed.ec == std::errc() && parsed.ptr == end;
  if (equals == 0 || !whole || count == 0 || count > kReplicasMax) {
    return fail(Errc::usage,
                fmt::format("\"{}\" is not PATTERN=COUNT, such as `team/*=3` (1 to {})", text,
                            kReplicasMax));
  }
  return std::pair(std::string(text.substr(0, equals)), count);
}

std::vector<Peer> replica_targets(const std::vector<Peer>& ranked,
                                  const std::set<std::string>& holders, unsigned replicas,
                                  const std::string& spread) {
  std::size_t copies = 0;
  std::set<std::string> covered, values;
  for (const auto& peer : ranked) {
    if (peer.draining) continue;
    values.insert(value_of(peer, spread));
    if (!holders.contains(peer.id)) continue;
    ++copies;
    covered.insert(value_of(peer, spread));
  }
  const std::size_t wanted_values =
      spread.empty() ? 0 : std::min<std::size_t>(replicas, values.size());

  std::vector<Peer> targets;
  std::set<std::string> chosen = holders;
  const auto choose = [&](const Peer& peer) {
    targets.push_back(peer);
    chosen.insert(peer.id);
    covered.insert(value_of(peer, spread));
  };
  for (const auto& peer : ranked) {
    if (covered.size() >= wanted_values) break;
    const bool new_value = !covered.contains(value_of(peer, spread));
    if (!peer.draining && new_value && !chosen.contains(peer.id)) choose(peer);
  }
  for (const auto& peer : ranked) {
    if (copies + targets.size() >= replicas) break;
    if (!peer.draining && !chosen.contains(peer.id)) choose(peer);
  }
  return targets;
}

bool is_expendable(const std::vector<Peer>& ranked, const std::set<std::string>& holders,
                   const std::string& self, unsigned replicas) {
  std::size_t before = 0;
  for (const auto& peer : ranked) {
    if (before >= replicas) return true;
    if (peer.id == self) return false;
    before += !peer.draining && holders.contains(peer.id) ? 1 : 0;
  }
  return before >= replicas;
}

}  // namespace shoal

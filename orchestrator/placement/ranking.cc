#include "orchestrator/placement/ranking.h"

#include <array>
#include <cmath>

#include <fmt/format.h>

#include "orchestrator/placement/rendezvous_hash.h"

namespace shoal {
namespace {

constexpr double kStepsPerSecond = 4;         // 250 ms.
constexpr std::uint64_t kTop = 1ULL << 62;    // What is subtracted from where more is better.
constexpr std::uint64_t kHealthFactor = 10;   // Classic Swarm's.
constexpr std::uint64_t kUnasked = 100;       // Percent, of what nobody asked for: classic Swarm's.
constexpr std::uint64_t kHealthTop = 10'000;  // Above the weight of any health.

std::vector<KeyKind> kinds_of(PlacementStrategy strategy) {
  using enum KeyKind;
  switch (strategy) {
    case PlacementStrategy::layers:
      return {unmet, skew, replicas, overload, ready, containers, hash};
    case PlacementStrategy::pack:
      return {unmet, fullest, skew, replicas, overload, ready, containers, hash};
    case PlacementStrategy::locality:
      return {unmet, ready, overload, skew, replicas, containers, hash};
    case PlacementStrategy::spread: return {unmet, skew, replicas, weight, containers, ready, hash};
    case PlacementStrategy::binpack:
      return {unmet, skew, weight_down, containers_down, ready, hash};
    case PlacementStrategy::random: return {unmet, skew, random};
    case PlacementStrategy::round_robin: return {unmet, skew, turn};
  }
  return {};
}

/// Of `used` and `asked` together, in so many parts of `total`.
std::uint64_t share(std::uint64_t used, std::uint64_t asked, std::uint64_t total,
                    std::uint64_t parts) {
  return static_cast<std::uint64_t>(static_cast<double>(used + asked) * static_cast<double>(parts) /
                                    static_cast<double>(total));
}

}  // namespace

Ranking::Ranking(const RequestClass& of, const PlacementRequest& request, NodeIndex turn)
    : class_(of),
      world_(of.world()),
      turn_(turn),
      // Between the names stands what no name has.
      slot_hash_(hash_of(request.service + '\n' + request.slot)),
      random_hash_(mix(world_.options().seed ^ slot_hash_)) {
  for (const auto kind : kinds_of(world_.options().strategy)) {
    if (kind != KeyKind::skew) keys_.push_back({kind});
    const auto labels = kind == KeyKind::skew ? class_.domains().size() : 0;
    for (std::size_t i = 0; i < labels; ++i) keys_.push_back({kind, i});
  }
}

std::uint64_t Ranking::percent_used(NodeIndex index) const {
  const NodeUsage& node = world_.nodes()[index];
  const auto& asked = class_.sample().resources;
  const auto percent = [](std::uint64_t used, std::uint64_t wanted, std::uint64_t total) {
    return wanted == 0 || total == 0 ? kUnasked : share(used, wanted, total, 100);
  };
  return percent(node.memory_used, asked.memory_bytes, node.memory_total) +
         percent(node.cpu_used, node.cpu_of(asked), node.cpu_total);
}

std::uint64_t Ranking::fullness(NodeIndex index) const {
  const NodeUsage& node = world_.nodes()[index];
  const auto& asked = class_.sample().resources;
  const auto cpu = node.cpu_of(asked);
  std::uint64_t thousandths = 0;
  if (asked.memory_bytes == 0 && cpu == 0) return node.containers;
  if (asked.memory_bytes > 0 && node.memory_total > 0) {
    thousandths += share(node.memory_used, asked.memory_bytes, node.memory_total, 1000);
  }
  if (cpu > 0 && node.cpu_total > 0) {
    thousandths += share(node.cpu_used, cpu, node.cpu_total, 1000);
  }
  return thousandths;
}

std::uint64_t Ranking::value(const Key& key, NodeIndex node) const {
  const NodeUsage& usage = world_.nodes()[node];
  switch (key.kind) {
    case KeyKind::unmet: return class_.unmet(node);
    case KeyKind::skew: {
      const auto& domains = class_.domains()[key.label];
      return domains.excess[(*domains.of)[node]];
    }
    case KeyKind::replicas: return class_.replicas(node);
    case KeyKind::overload: return world_.overloaded(node) ? 1 : 0;
    case KeyKind::ready: {
      const double seconds = seconds_until_ready(*usage.view, class_.lack(node));
      return static_cast<std::uint64_t>(std::llround(seconds * kStepsPerSecond));
    }
    case KeyKind::containers: return usage.containers;
    case KeyKind::fullest: return kTop - fullness(node);
    case KeyKind::weight:
      return percent_used(node) + kHealthTop - kHealthFactor * usage.view->health;
    case KeyKind::weight_down:
      return kTop - percent_used(node) - kHealthFactor * usage.view->health;
    case KeyKind::containers_down: return kTop - usage.containers;
    case KeyKind::turn: {
      const auto count = world_.nodes().size();
      return (node + count - turn_) % count;
    }
    // The highest weight comes first.
    case KeyKind::random: return ~mix(random_hash_ ^ usage.hash);
    case KeyKind::hash: return ~mix(slot_hash_ ^ usage.hash);
  }
  return 0;
}

std::optional<NodeIndex> Ranking::best(std::optional<NodeIndex> except) const {
  constexpr std::size_t kKeysMax = 8 + kSpreadLabelsMax;
  std::array<std::uint64_t, kKeysMax> least{};
  std::optional<NodeIndex> best;
  const auto count = static_cast<NodeIndex>(world_.nodes().size());
  for (NodeIndex node = 0; node < count; ++node) {
    if (!class_.passes(node) || node == except) continue;
    std::size_t i = 0;
    std::uint64_t number = 0;
    // Most hosts are out after one or two numbers; those after them are not computed.
    for (; i < keys_.size(); ++i) {
      number = value(keys_[i], node);
      if (!best || number != least[i]) break;
    }
    if (i == keys_.size() || (best && number > least[i])) continue;
    best = node;
    least[i] = number;
    for (++i; i < keys_.size(); ++i) least[i] = value(keys_[i], node);
  }
  return best;
}

std::optional<std::size_t> Ranking::first_difference(NodeIndex one, NodeIndex other) const {
  for (std::size_t i = 0; i < keys_.size(); ++i) {
    if (value(keys_[i], one) != value(keys_[i], other)) return i;
  }
  return std::nullopt;
}

KeyPart Ranking::part(const Key& key, NodeIndex node) const {
  const auto number = value(key, node);
  const auto plain = [number](std::string name) {
    return KeyPart{std::move(name), std::to_string(number)};
  };
  switch (key.kind) {
    case KeyKind::unmet: {
      const auto texts = class_.unmet_texts(node);
      return {"unmet soft expressions",
              texts.empty() ? "none" : fmt::format("{}", fmt::join(texts, " "))};
    }
    case KeyKind::skew:
      return plain("above the skew of " + class_.sample().spread[key.label].label);
    case KeyKind::replicas: return plain("replicas here");
    case KeyKind::overload: return plain("overload");
    case KeyKind::ready:
      return {"seconds until ready",
              fmt::format("{:.2f}", static_cast<double>(number) / kStepsPerSecond)};
    case KeyKind::containers: return plain("containers here");
    case KeyKind::fullest: return {"fullness", std::to_string(kTop - number)};
    case KeyKind::weight:
      return {"weight", std::to_string(static_cast<std::int64_t>(number) -
                                       static_cast<std::int64_t>(kHealthTop))};
    case KeyKind::weight_down: return {"weight", std::to_string(kTop - number)};
    case KeyKind::containers_down: return {"containers here", std::to_string(kTop - number)};
    case KeyKind::turn: return plain("turns to wait");
    case KeyKind::random: return {"random", fmt::format("{:016x}", number)};
    case KeyKind::hash: return {"hash", fmt::format("{:016x}", number)};
  }
  return {};
}

std::vector<KeyPart> Ranking::parts(NodeIndex node) const {
  std::vector<KeyPart> parts;
  for (const auto& key : keys_) parts.push_back(part(key, node));
  return parts;
}

}  // namespace shoal

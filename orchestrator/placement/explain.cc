#include "orchestrator/placement/explain.h"

#include <array>

#include <fmt/format.h>

namespace shoal {

Explanation explain(const RequestClass& of, const Ranking* ranking,
                    std::optional<NodeIndex> winner) {
  Explanation explanation;
  const auto& nodes = of.world().nodes();
  std::array<std::vector<Rejection>, kFilters> rejected;
  for (NodeIndex node = 0; node < nodes.size(); ++node) {
    const auto filter = of.refused_by(node);
    if (!filter) continue;
    rejected[static_cast<std::size_t>(*filter)].push_back(
        {nodes[node].view->name, of.why(node, *filter)});
  }
  for (std::size_t i = 0; i < kFilters; ++i) {
    if (rejected[i].empty()) continue;
    explanation.rejected.emplace_back(static_cast<PlacementFilter>(i), std::move(rejected[i]));
  }
  if (ranking == nullptr || !winner) return explanation;

  explanation.keys = ranking->parts(*winner);
  const auto second = ranking->best(*winner);
  if (!second) return explanation;
  const auto difference = ranking->first_difference(*winner, *second);
  if (!difference) return explanation;
  const auto& won = explanation.keys[*difference];
  const auto lost = ranking->parts(*second)[*difference];
  explanation.runner_up = {nodes[*second].view->name, won.name, won.value, lost.value};
  return explanation;
}

std::string problem_text(const RequestClass& of, const std::string& slot) {
  struct Group {
    std::size_t hosts = 0;
    NodeIndex first = 0;
  };
  const auto& nodes = of.world().nodes();
  if (nodes.empty()) return fmt::format("{} cannot be placed: there are no hosts", slot);
  std::array<Group, kFilters> groups;
  for (NodeIndex node = 0; node < nodes.size(); ++node) {
    const auto filter = of.refused_by(node);
    if (!filter) continue;
    Group& group = groups[static_cast<std::size_t>(*filter)];
    if (group.hosts++ == 0) group.first = node;
  }
  std::string text = fmt::format("{} cannot be placed: of {} host{}", slot, nodes.size(),
                                 nodes.size() == 1 ? "" : "s");
  for (std::size_t i = 0; i < kFilters; ++i) {
    if (groups[i].hosts == 0) continue;
    const auto filter = static_cast<PlacementFilter>(i);
    text += fmt::format(", {} refused by {} ({}: {})", groups[i].hosts, to_string(filter),
                        nodes[groups[i].first].view->name, of.why(groups[i].first, filter));
  }
  return text;
}

}  // namespace shoal

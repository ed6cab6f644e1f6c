#include "orchestrator/cccf/order.h"

#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>

#include "orchestrator/cccf/scale.h"
#include "orchestrator/cccf/service.h"

namespace shoal {
namespace {

/// All instances of a service.
struct Group {
  std::set<std::size_t> needs;    // Of other groups.
  std::set<std::size_t> needers;  // The groups that need this one.
  std::size_t waits = 0;          // For how many of its needs.
  std::size_t depth = 0;
  const CccfItem* first = nullptr;
};

/// Names a circle among groups that wait for each other.
std::string circle(const std::vector<Group>& groups) {
  std::vector<std::size_t> path;
  auto at = static_cast<std::size_t>(
      std::find_if(groups.begin(), groups.end(), [](const Group& g) { return g.waits > 0; }) -
      groups.begin());
  while (std::find(path.begin(), path.end(), at) == path.end()) {
    path.push_back(at);
    const auto& needs = groups[at].needs;
    at = *std::find_if(needs.begin(), needs.end(),
                       [&](std::size_t need) { return groups[need].waits > 0; });
  }
  path.erase(path.begin(), std::find(path.begin(), path.end(), at));
  path.push_back(at);
  std::string text;
  for (const std::size_t group : path) {
    text += (text.empty() ? "" : " -> ") + groups[group].first->id();
  }
  return text;
}

}  // namespace

std::vector<std::size_t> dependency_depths(const std::vector<CccfItem>& items,
                                           CccfDiagnostics& problems) {
  std::set<std::string> ids;
  for (const CccfItem& item : items) ids.insert(item.id());
  const auto base_of = [&](const std::string& id) {
    const auto instance = parse_instance_id(id);
    return instance && ids.count(instance->base) > 0 ? instance->base : id;
  };

  std::vector<Group> groups;
  std::map<std::string, std::size_t> group_of;
  for (const CccfItem& item : items) {
    const auto [place, is_new] = group_of.emplace(base_of(item.id()), groups.size());
    if (!is_new) continue;
    groups.emplace_back();
    groups.back().first = &item;
  }
  for (const CccfItem& item : items) {
    const std::size_t own = group_of.at(base_of(item.id()));
    CccfDiagnostics ignored;  // validate_cccf() says it.
    for (const std::string& id : view(item, ignored).depends) {
      const auto need = group_of.find(base_of(id));
      // An instance may depend on another one of its kind: that is no order between services.
      if (need == group_of.end() || (need->second == own && id != item.id())) continue;
      groups[own].needs.insert(need->second);
      groups[need->second].needers.insert(own);
    }
  }

  std::vector<std::size_t> ready;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    groups[i].waits = groups[i].needs.size();
    if (groups[i].waits == 0) ready.push_back(i);
  }
  std::size_t done = 0;
  for (; done < ready.size(); ++done) {
    const Group& group = groups[ready[done]];
    for (const std::size_t i : group.needers) {
      groups[i].depth = std::max(groups[i].depth, group.depth + 1);
      if (--groups[i].waits == 0) ready.push_back(i);
    }
  }
  if (done < groups.size()) {
    const auto stuck =
        std::find_if(groups.begin(), groups.end(), [](const Group& g) { return g.waits > 0; });
    problems.push_back({CccfDiagnostic::Severity::error, "dependency-cycle", stuck->first->file,
                        stuck->first->pointer,
                        "containers depend on each other in a circle: " + circle(groups)});
  }
  std::vector<std::size_t> depths;
  for (const CccfItem& item : items)
    depths.push_back(groups[group_of.at(base_of(item.id()))].depth);
  return depths;
}

}  // namespace shoal

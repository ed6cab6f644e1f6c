#include "orchestrator/placement/expression_facts.h"

#include <algorithm>

#include "orchestrator/placement/image_lacks.h"

namespace shoal {
namespace {

const std::string kNothing;

/// A label that is missing is an empty one, so that `!=` holds for it.
const std::string& value_or_empty(const std::map<std::string, std::string>& values,
                                  const std::string& key) {
  const auto entry = values.find(key);
  return entry == values.end() ? kNothing : entry->second;
}

bool fits_image(const Expression& expression, std::string_view name) {
  const auto spelled = ImageSpelling::of(name);
  return expression.fits(name) || expression.fits(spelled.repository) ||
         expression.fits(spelled.whole);
}

}  // namespace

bool fits(const Expression& affinity, const AffinityTarget& container) {
  if (affinity.key() == "container") {
    return affinity.fits(container.name) || (!container.id.empty() && affinity.fits(container.id));
  }
  if (affinity.key() == "image") return fits_image(affinity, container.image);
  return affinity.fits(value_or_empty(*container.labels, affinity.key()));
}

ExpressionFact::ExpressionFact(Expression expression, const std::vector<NodeUsage>& nodes,
                               const std::unordered_set<std::string_view>& skip)
    : expression_(std::move(expression)) {
  for (const auto& node : nodes) fits_.push_back(fits(node, skip) ? 1 : 0);
}

bool ExpressionFact::fits(const NodeUsage& node,
                          const std::unordered_set<std::string_view>& skip) const {
  const HostView& view = *node.view;
  if (expression_.kind() == ExpressionKind::whitelist) return expression_.fits(view.name);
  if (expression_.kind() == ExpressionKind::constraint) {
    if (expression_.key() == "node") {
      return expression_.fits(view.name) || (!view.id.empty() && expression_.fits(view.id));
    }
    const auto fact = view.facts.find(expression_.key());
    if (fact != view.facts.end()) return expression_.fits(fact->second);
    return expression_.fits(value_or_empty(view.labels, expression_.key()));
  }
  if (expression_.key() == "image") {
    const auto fits_name = [this](const std::string& name) {
      return fits_image(expression_, name);
    };
    if (std::any_of(view.images.begin(), view.images.end(), fits_name)) return true;
  }
  return std::any_of(view.containers.begin(), view.containers.end(), [&](const auto& container) {
    if (skip.count(container.name) > 0) return false;
    return shoal::fits(expression_,
                       {container.name, container.id, container.image, &container.labels});
  });
}

void ExpressionFact::add(NodeIndex node, const AffinityTarget& container) {
  if (fits_[node] == 0 && shoal::fits(expression_, container)) fits_[node] = 1;
}

ExpressionFact& ExpressionFacts::of(const Expression& expression,
                                    const std::vector<NodeUsage>& nodes,
                                    const std::unordered_set<std::string_view>& skip) {
  auto& fact = facts_[expression.text()];
  if (!fact) {
    fact = std::make_unique<ExpressionFact>(expression, nodes, skip);
    if (expression.kind() == ExpressionKind::affinity) affinities_.push_back(fact.get());
  }
  return *fact;
}

void ExpressionFacts::add(NodeIndex node, const AffinityTarget& container) {
  for (auto* fact : affinities_) fact->add(node, container);
}

}  // namespace shoal

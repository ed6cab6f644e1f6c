#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "orchestrator/placement/expression.h"
#include "orchestrator/placement/node_usage.h"

namespace shoal {

/// What a container looks like to an affinity.
struct AffinityTarget {
  std::string_view name;
  std::string_view id;
  std::string_view image;
  const std::map<std::string, std::string>* labels;
};

/// Whether the value of an affinity fits the container.
[[nodiscard]] bool fits(const Expression& affinity, const AffinityTarget& container);

/// On which hosts one expression holds. Constraints are asked once for each host; of affinities,
/// what comes to a host can make the value fit, and nothing that is placed takes that back.
class ExpressionFact {
 public:
  ExpressionFact(Expression expression, const std::vector<NodeUsage>& nodes,
                 const std::unordered_set<std::string_view>& skip);

  [[nodiscard]] const Expression& expression() const { return expression_; }
  [[nodiscard]] bool holds(NodeIndex node) const {
    return (fits_[node] != 0) != expression_.negated();
  }
  /// Something was placed on a host.
  void add(NodeIndex node, const AffinityTarget& container);

 private:
  [[nodiscard]] bool fits(const NodeUsage& node,
                          const std::unordered_set<std::string_view>& skip) const;

  Expression expression_;
  std::vector<std::uint8_t> fits_;  // By host: the value, whatever the operator.
};

/// One fact for each different expression, made when it is first asked for.
class ExpressionFacts {
 public:
  [[nodiscard]] ExpressionFact& of(const Expression& expression,
                                   const std::vector<NodeUsage>& nodes,
                                   const std::unordered_set<std::string_view>& skip);
  void add(NodeIndex node, const AffinityTarget& container);

 private:
  std::unordered_map<std::string, std::unique_ptr<ExpressionFact>> facts_;  // By text.
  std::vector<ExpressionFact*> affinities_;
};

}  // namespace shoal

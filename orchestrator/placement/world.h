#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "orchestrator/placement/expression_facts.h"
#include "orchestrator/placement/image_lacks.h"
#include "orchestrator/placement/layer_index.h"
#include "orchestrator/placement/node_usage.h"
#include "orchestrator/placement/placer.h"

namespace shoal {

/// How many replicas of one service the hosts have.
using ReplicasByNode = std::unordered_map<NodeIndex, std::uint32_t>;

/// What was placed, in order: those who keep numbers about hosts read on from where they stopped.
struct Placed {
  NodeIndex node;
  const PlacementRequest* request;
};

/// The hosts while they fill up. What it was made of must outlive it. One thread.
class World {
 public:
  /// Containers that bear the name of a slot do not count: they are what is decided about.
  World(const std::vector<PlacementRequest>& requests, const std::vector<HostView>& views,
        const std::vector<PlacementImage>& images, const PlacementOptions& options);

  World(const World&) = delete;
  World& operator=(const World&) = delete;

  /// In the order of their names.
  [[nodiscard]] const std::vector<NodeUsage>& nodes() const { return nodes_; }
  /// Where the host stood in the views.
  [[nodiscard]] std::size_t given_index(NodeIndex node) const { return given_[node]; }
  [[nodiscard]] const PlacementOptions& options() const { return options_; }
  [[nodiscard]] const LayerIndex& layers() const { return layers_; }
  [[nodiscard]] const std::vector<Placed>& log() const { return log_; }

  /// Null if the image is not known.
  [[nodiscard]] ImageLacks* image(const std::string& name);
  /// Before the first place().
  [[nodiscard]] ExpressionFact& fact(const Expression& expression);
  /// Brings the numbers of an image up to date with the log.
  void refresh(ImageLacks& image);

  /// Those that run and those that were placed, but not those that are still to be decided about.
  [[nodiscard]] const ReplicasByNode& replicas(const std::string& service) {
    return replicas_[service];
  }

  /// The values of a label, numbered: that of each host. A label that is missing is an empty one.
  [[nodiscard]] const std::vector<std::uint32_t>& label_values(const std::string& label);

  /// Hosts where something was placed that keeps such a container away, with the expression.
  [[nodiscard]] std::vector<std::pair<NodeIndex, const Expression*>> repelling(
      const PlacementRequest& request) const;

  /// Whether the host has too much of the load with one more container.
  [[nodiscard]] bool overloaded(NodeIndex node) const {
    return static_cast<double>(nodes_[node].containers + 1) > load_max_;
  }

  /// `image` is what image(request.image) gave, up to date.
  void place(const PlacementRequest& request, NodeIndex node, const ImageLacks* image);

 private:
  void count_load();

  const PlacementOptions options_;
  std::unordered_set<std::string_view> slots_;
  std::vector<NodeUsage> nodes_;
  std::vector<const HostView*> sorted_views_;
  std::vector<std::size_t> given_;
  LayerIndex layers_;
  std::unordered_map<std::string, std::unique_ptr<ImageLacks>> images_;  // By whole name.
  ExpressionFacts facts_;
  struct Guard {
    const Expression* expression;  // Hard, negated, an affinity.
    std::set<NodeIndex> nodes;
  };
  std::map<std::string, Guard> guards_;                       // By text, of what was placed.
  std::unordered_map<std::string, ReplicasByNode> replicas_;  // By service.
  std::unordered_map<std::string, std::vector<std::uint32_t>> label_values_;  // By label.
  std::vector<Placed> log_;
  std::uint64_t usable_nodes_ = 0;
  std::uint64_t usable_containers_ = 0;
  double load_max_ = 0;
};

}  // namespace shoal

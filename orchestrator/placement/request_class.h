#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "orchestrator/placement/world.h"

namespace shoal {

/// What one spread label says about the hosts, to one class.
struct Domains {
  const std::vector<std::uint32_t>* of;  // Of each host: the number of the label's value.
  std::vector<std::uint32_t> replicas;   // In each.
  std::vector<std::uint32_t> excess;     // One more replica there would be so many above the skew.
};

/// All requests that differ in nothing but the slot, and what is known about each host for them:
/// computed once, and again for those hosts that were given something since.
class RequestClass {
 public:
  /// Before the first World::place(). `sample` is one of the requests, and must outlive it.
  RequestClass(const PlacementRequest& sample, World& world);

  /// Two requests with equal texts are of one class.
  [[nodiscard]] static std::string text_of(const PlacementRequest& request);

  /// Brings all numbers up to date with what was placed, for one slot of the class.
  void refresh(const PlacementRequest& slot);
  /// For one slot to come: which domains could take it, and how far each is above the skew.
  void count_domains();
  void forget();  // Gives the memory back; refresh() may follow.

  /// The first filter that refuses the host.
  [[nodiscard]] std::optional<PlacementFilter> refused_by(NodeIndex node) const {
    return verdicts_[node] == kPasses
               ? std::nullopt
               : std::optional(static_cast<PlacementFilter>(verdicts_[node]));
  }
  [[nodiscard]] bool passes(NodeIndex node) const { return verdicts_[node] == kPasses; }
  /// In words, why that filter refuses the host.
  [[nodiscard]] std::string why(NodeIndex node, PlacementFilter filter) const;

  [[nodiscard]] const PlacementRequest& sample() const { return sample_; }
  [[nodiscard]] World& world() const { return world_; }
  [[nodiscard]] ImageLacks* image() const { return image_; }
  /// One bit for each soft expression that the host does not meet; the first written is the
  /// highest.
  [[nodiscard]] std::uint32_t unmet(NodeIndex node) const { return unmet_[node]; }
  [[nodiscard]] std::vector<std::string> unmet_texts(NodeIndex node) const;
  [[nodiscard]] std::uint32_t replicas(NodeIndex node) const { return replicas_[node]; }
  [[nodiscard]] const std::vector<Domains>& domains() const { return domains_; }
  [[nodiscard]] Lack lack(NodeIndex node) const {
    return image_ == nullptr ? Lack{} : image_->lack(node);
  }
  /// It needs a container that may still come: a refusal by affinity or beside is not the last
  /// word.
  [[nodiscard]] bool waits_for_others() const { return waits_; }

 private:
  static constexpr std::uint8_t kPasses = 255;

  void start();
  void repel(const PlacementRequest& slot);
  void judge(NodeIndex node);
  [[nodiscard]] std::optional<PlacementFilter> verdict(const NodeUsage& node,
                                                       NodeIndex index) const;
  [[nodiscard]] bool has_tag(const HostView& view) const;

  const PlacementRequest& sample_;
  World& world_;
  ImageLacks* image_;
  std::vector<const ExpressionFact*> hard_;
  std::vector<const ExpressionFact*> soft_;
  bool waits_ = false;
  std::size_t log_seen_ = 0;
  std::vector<std::uint8_t> verdicts_;
  std::vector<std::uint32_t> unmet_;
  std::vector<std::uint32_t> replicas_;
  std::vector<Domains> domains_;
  /// Hosts that pass but for what keeps the slot away there.
  std::vector<std::pair<NodeIndex, const Expression*>> repelled_;
};

}  // namespace shoal

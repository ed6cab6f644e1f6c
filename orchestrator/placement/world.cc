#include "orchestrator/placement/world.h"

#include <algorithm>
#include <numeric>

namespace shoal {
namespace {

constexpr double kLoadSlack = 1;  // Containers above the bound, so that an empty cluster can start.

}  // namespace

World::World(const std::vector<PlacementRequest>& requests, const std::vector<HostView>& views,
             const std::vector<PlacementImage>& images, const PlacementOptions& options)
    : options_(options), given_(views.size()) {
  std::iota(given_.begin(), given_.end(), 0);
  std::sort(given_.begin(), given_.end(),
            [&](std::size_t a, std::size_t b) { return views[a].name < views[b].name; });
  for (const auto& request : requests) slots_.insert(request.slot);
  for (const auto index : given_) {
    sorted_views_.push_back(&views[index]);
    nodes_.emplace_back(views[index], options_.overcommit, slots_);
  }

  std::unordered_set<std::string> wanted;
  for (const auto& request : requests) wanted.insert(ImageSpelling::of(request.image).whole);
  for (const auto& image : images) {
    const auto name = ImageSpelling::of(image.name).whole;
    if (wanted.count(name) == 0 || image.manifests.empty()) continue;
    images_.try_emplace(name, std::make_unique<ImageLacks>(image, layers_));
  }
  for (NodeIndex i = 0; i < nodes_.size(); ++i) {
    const HostView& view = *nodes_[i].view;
    layers_.add_held(i, view);
    for (const auto& container : view.containers) {
      if (container.running && slots_.count(container.name) == 0) ++replicas_[container.service][i];
    }
    if (!nodes_[i].usable) continue;
    ++usable_nodes_;
    usable_containers_ += nodes_[i].containers;
  }
  count_load();
}

void World::count_load() {
  const double mean = static_cast<double>(usable_containers_) /
                      static_cast<double>(std::max<std::uint64_t>(usable_nodes_, 1));
  load_max_ = options_.load_bound * mean + kLoadSlack;
}

ImageLacks* World::image(const std::string& name) {
  const auto entry = images_.find(ImageSpelling::of(name).whole);
  return entry == images_.end() ? nullptr : entry->second.get();
}

ExpressionFact& World::fact(const Expression& expression) {
  return facts_.of(expression, nodes_, slots_);
}

void World::refresh(ImageLacks& image) {
  if (!image.started()) {
    image.start(sorted_views_, layers_);
  } else {
    for (auto i = image.log_seen; i < log_.size(); ++i) image.touch(log_[i].node, layers_);
    image.catch_up(layers_);
  }
  image.log_seen = log_.size();
}

const std::vector<std::uint32_t>& World::label_values(const std::string& label) {
  auto& values = label_values_[label];
  if (!values.empty()) return values;
  std::map<std::string, std::uint32_t> numbers;
  for (const auto& node : nodes_) {
    const auto entry = node.view->labels.find(label);
    const auto text = entry == node.view->labels.end() ? std::string() : entry->second;
    const auto next = static_cast<std::uint32_t>(numbers.size());
    values.push_back(numbers.try_emplace(text, next).first->second);
  }
  return values;
}

std::vector<std::pair<NodeIndex, const Expression*>> World::repelling(
    const PlacementRequest& request) const {
  std::vector<std::pair<NodeIndex, const Expression*>> hosts;
  for (const auto& [text, guard] : guards_) {
    if (!fits(*guard.expression, {request.slot, {}, request.image, &request.labels})) continue;
    for (const auto node : guard.nodes) hosts.emplace_back(node, guard.expression);
  }
  return hosts;
}

void World::place(const PlacementRequest& request, NodeIndex node, const ImageLacks* image) {
  NodeUsage& usage = nodes_[node];
  usage.add(request, image == nullptr ? Lack{} : image->lack(node));
  if (image != nullptr) layers_.expect(node, image->layers_for(usage.view->platform));
  facts_.add(node, {request.slot, {}, request.image, &request.labels});
  for (const auto& expression : request.expressions) {
    if (expression.kind() != ExpressionKind::affinity || expression.soft() ||
        !expression.negated()) {
      continue;
    }
    guards_.try_emplace(expression.text(), Guard{&expression, {}}).first->second.nodes.insert(node);
  }
  if (usage.usable) {
    ++usable_containers_;
    count_load();
  }
  ++replicas_[request.service][node];
  log_.push_back({node, &request});
}

}  // namespace shoal

#include "orchestrator/placement/image_lacks.h"

#include <algorithm>

namespace shoal {

ImageSpelling ImageSpelling::of(std::string_view text) {
  const auto at = text.find('@');
  if (at != std::string_view::npos) {
    // `app:1@sha256:...`: the digest decides, whatever the tag.
    const auto repository = of(text.substr(0, at)).repository;
    return {repository, repository + std::string(text.substr(at))};
  }
  const auto colon = text.rfind(':');
  const auto slash = text.rfind('/');
  const bool tagged =
      colon != std::string_view::npos && (slash == std::string_view::npos || slash < colon);
  if (tagged) return {std::string(text.substr(0, colon)), std::string(text)};
  return {std::string(text), std::string(text) + ":latest"};
}

ImageLacks::ImageLacks(const PlacementImage& image, LayerIndex& layers) {
  for (const auto& manifest : image.manifests) {
    Manifest own{manifest.platform, {}};
    for (const auto& layer : manifest.layers) own.layers.push_back(layers.add(layer));
    // An image may name a layer twice; it is fetched once.
    std::sort(own.layers.begin(), own.layers.end());
    own.layers.erase(std::unique(own.layers.begin(), own.layers.end()), own.layers.end());
    manifests_.push_back(std::move(own));
  }
}

void ImageLacks::start(const std::vector<const HostView*>& nodes, const LayerIndex& layers) {
  lacks_.assign(nodes.size(), {});
  counts_.assign(manifests_.size(), std::vector<std::uint8_t>(nodes.size(), 0));
  for (NodeIndex i = 0; i < nodes.size(); ++i) {
    const auto fits = [&](const Manifest& manifest) {
      return shoal::runs_on(manifest.platform, nodes[i]->platform);
    };
    const auto manifest = std::find_if(manifests_.begin(), manifests_.end(), fits);
    if (manifest != manifests_.end()) {
      counts_[static_cast<std::size_t>(manifest - manifests_.begin())][i] = 1;
    }
  }
  compute(layers);
}

void ImageLacks::compute(const LayerIndex& layers) {
  std::fill(lacks_.begin(), lacks_.end(), Lack{});
  nowhere_.clear();
  for (std::size_t i = 0; i < manifests_.size(); ++i) {
    layers.lacks(manifests_[i].layers, counts_[i], lacks_);
    std::copy_if(manifests_[i].layers.begin(), manifests_[i].layers.end(),
                 std::back_inserter(nowhere_),
                 [&](LayerId layer) { return !layers.held_by_any(layer); });
  }
}

void ImageLacks::touch(NodeIndex node, const LayerIndex& layers) {
  for (std::size_t i = 0; i < manifests_.size(); ++i) {
    if (counts_[i][node] != 0) lacks_[node] = layers.lack(node, manifests_[i].layers);
  }
}

void ImageLacks::catch_up(const LayerIndex& layers) {
  const bool found = std::any_of(nowhere_.begin(), nowhere_.end(),
                                 [&](LayerId layer) { return layers.held_by_any(layer); });
  if (found) compute(layers);
}

void ImageLacks::forget() {
  // `= {}` would empty them, and keep the memory.
  lacks_ = decltype(lacks_)();
  counts_ = decltype(counts_)();
  nowhere_ = decltype(nowhere_)();
}

bool ImageLacks::runs_on(const Platform& platform) const {
  const auto fits = [&](const Manifest& manifest) {
    return shoal::runs_on(manifest.platform, platform);
  };
  return std::any_of(manifests_.begin(), manifests_.end(), fits);
}

std::span<const LayerId> ImageLacks::layers_for(const Platform& platform) const {
  for (const auto& manifest : manifests_) {
    if (shoal::runs_on(manifest.platform, platform)) return manifest.layers;
  }
  return {};
}

}  // namespace shoal

#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "orchestrator/placement/layer_index.h"

namespace shoal {

/// How an image may be written: `reg:5000/app` is also `reg:5000/app:latest`, and the other way
/// round; a tag is what stands behind the last colon, if no slash follows it.
struct ImageSpelling {
  std::string repository;  // `reg:5000/app`
  std::string whole;       // With tag or digest: `reg:5000/app:latest`, `app@sha256:...`

  [[nodiscard]] static ImageSpelling of(std::string_view text);
};

/// What every host lacks of one image; knows which numbers are stale and computes those anew.
class ImageLacks {
 public:
  /// The layers of `image` are added to `layers`.
  ImageLacks(const PlacementImage& image, LayerIndex& layers);

  /// For hosts in the order of their numbers, on which the image's manifest depends.
  void start(const std::vector<const HostView*>& nodes, const LayerIndex& layers);
  /// Something was placed on `node`.
  void touch(NodeIndex node, const LayerIndex& layers);
  /// After the touches: whether a layer that nobody had has a holder now, which all hosts feel.
  void catch_up(const LayerIndex& layers);
  void forget();  // Gives the memory back; start() may follow.
  [[nodiscard]] bool started() const { return !lacks_.empty(); }

  [[nodiscard]] const Lack& lack(NodeIndex node) const { return lacks_[node]; }
  /// Whether any of its manifests is for the host's platform.
  [[nodiscard]] bool runs_on(const Platform& platform) const;
  /// What the platform gets; empty if it gets nothing.
  [[nodiscard]] std::span<const LayerId> layers_for(const Platform& platform) const;

  std::size_t log_seen = 0;  // How much of what was placed this has looked at.

 private:
  struct Manifest {
    Platform platform;
    std::vector<LayerId> layers;
  };

  void compute(const LayerIndex& layers);

  std::vector<Manifest> manifests_;
  std::vector<std::vector<std::uint8_t>> counts_;  // By manifest and host: 1 where it is the one.
  std::vector<Lack> lacks_;
  std::vector<LayerId> nowhere_;  // Layers without a holder when lacks_ was computed.
};

}  // namespace shoal

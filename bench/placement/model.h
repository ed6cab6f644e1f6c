#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <string>
#include <vector>

#include "bench/sim/random.h"
#include "orchestrator/placement/host_view.h"
#include "orchestrator/placement/placement_image.h"

namespace shoal::bench {

/// A layer of the model: a number and its bytes.
struct ModelLayer {
  std::uint32_t id;
  std::uint64_t bytes;
};

/// A service of the model: its image is a base, a runtime on it, and layers of its own, of which
/// the last is new with each version.
struct ModelService {
  std::uint32_t number;
  std::uint32_t version = 0;
  std::vector<ModelLayer> layers;
  std::vector<std::size_t> replicas{};  // The host of each.
  std::vector<std::size_t> before{};    // Of the version that was just stopped.

  [[nodiscard]] std::string name() const;   // `s7`
  [[nodiscard]] std::string image() const;  // `s7:3`
  [[nodiscard]] std::uint64_t bytes() const;
};

/// A host of the model: what runs there, and a cache of layers of which the least recently used
/// that nothing runs on goes first.
class ModelHost {
 public:
  explicit ModelHost(std::uint64_t cache_bytes) : cache_bytes_(cache_bytes) {}

  [[nodiscard]] bool has(std::uint32_t layer) const { return cached_.count(layer) > 0; }
  /// Whether all of the image is here under this name: what Kubernetes knows.
  [[nodiscard]] bool has_image(const std::string& image) const { return images_.count(image) > 0; }
  [[nodiscard]] std::vector<std::uint32_t> layers() const;

  /// A container starts; gives the bytes that had to come.
  std::uint64_t start(const ModelService& service);
  void stop(const ModelService& service);
  [[nodiscard]] std::uint64_t containers() const { return containers_; }

 private:
  struct Cached {
    std::uint64_t bytes;
    std::uint32_t users = 0;
    std::list<std::uint32_t>::iterator place;
  };

  void evict();

  std::uint64_t cache_bytes_;
  std::uint64_t used_bytes_ = 0;
  std::uint64_t containers_ = 0;
  std::map<std::uint32_t, Cached> cached_;
  std::list<std::uint32_t> order_;  // The least recently used first.
  std::map<std::string, std::vector<std::uint32_t>> images_;
};

struct ModelOptions {
  std::size_t hosts = 20;
  std::size_t services = 120;
  std::size_t changes = 500;
  std::uint64_t cache_bytes = 12ULL << 30;
  std::uint64_t seed = 1;
};

/// Says where the replicas of a service go that are to be started: one host for each.
class ModelPlacer {
 public:
  virtual ~ModelPlacer() = default;
  /// `service` has those replicas that stay; `count` more are wanted.
  virtual std::vector<std::size_t> place(const std::vector<ModelHost>& hosts,
                                         const std::vector<ModelService>& services,
                                         const ModelService& service, std::size_t count) = 0;
};

struct ModelResult {
  std::uint64_t bytes_moved = 0;
  std::uint64_t starts = 0;
  double load_mean = 0;  // Containers on a host, over all changes.
  double load_max = 0;   // On the fullest host, over all changes.
  double load_peak = 0;  // The largest of max / mean after any change.
};

/// All services are deployed, and then change: 70 of 100 are new versions, which stop all replicas
/// and start as many; 15 one replica more; 15 one fewer. The same seed is the same services and the
/// same changes, whoever places.
[[nodiscard]] ModelResult run_model(const ModelOptions& options, ModelPlacer& placer);

}  // namespace shoal::bench

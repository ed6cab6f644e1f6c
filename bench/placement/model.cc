#include "bench/placement/model.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "bench/fatal.h"

namespace shoal::bench {
namespace {

constexpr std::uint64_t kMiB = 1 << 20;
constexpr std::uint32_t kBases = 8;
constexpr std::uint32_t kRuntimes = 4;  // On each base.
constexpr std::uint32_t kReplicasMin = 2;
constexpr std::uint32_t kReplicasMax = 7;

std::uint64_t between(sim::Random& random, std::uint32_t least_mib, std::uint32_t most_mib) {
  return (least_mib + random.below(most_mib - least_mib + 1)) * kMiB;
}

/// Services and what they are made of.
class Catalog {
 public:
  explicit Catalog(sim::Random& random) : random_(random) {
    for (std::uint32_t i = 0; i < kBases; ++i) bases_.push_back(layer(110, 250));
    for (std::uint32_t i = 0; i < kBases * kRuntimes; ++i) runtimes_.push_back(layer(16, 50));
  }

  ModelService service(std::uint32_t number) {
    const auto base = random_.below(kBases);
    const auto runtime = base * kRuntimes + random_.below(kRuntimes);
    return {number, 0, {bases_[base], runtimes_[runtime], layer(8, 52)}};
  }

  void renew(ModelService& service) {
    ++service.version;
    service.layers.back() = layer(8, 52);
  }

 private:
  ModelLayer layer(std::uint32_t least_mib, std::uint32_t most_mib) {
    return {next_++, between(random_, least_mib, most_mib)};
  }

  sim::Random& random_;
  std::uint32_t next_ = 0;
  std::vector<ModelLayer> bases_;
  std::vector<ModelLayer> runtimes_;
};

class Model {
 public:
  Model(const ModelOptions& options, ModelPlacer& placer)
      : options_(options),
        placer_(placer),
        random_(options.seed),
        catalog_(random_),
        hosts_(options.hosts, ModelHost(options.cache_bytes)) {}

  ModelResult run() {
    for (std::uint32_t i = 0; i < options_.services; ++i) services_.push_back(catalog_.service(i));
    for (auto& service : services_) {
      start(service, kReplicasMin + random_.below(kReplicasMax - kReplicasMin + 1));
    }
    for (std::size_t i = 0; i < options_.changes; ++i) change();
    const auto changes = static_cast<double>(options_.changes);
    result_.load_mean /= changes;
    result_.load_max /= changes;
    return result_;
  }

 private:
  void change() {
    auto& service = services_[random_.below(static_cast<std::uint32_t>(services_.size()))];
    const auto dice = random_.below(100);
    if (dice < 60) {
      const auto count = service.replicas.size();
      service.before = service.replicas;
      while (!service.replicas.empty()) stop_one(service);
      catalog_.renew(service);
      start(service, count);
      service.before.clear();
    } else if (dice < 80 || service.replicas.size() == 1) {
      start(service, 1);
    } else {
      stop_one(service);
    }
    measure();
  }

  void start(ModelService& service, std::size_t count) {
    const auto chosen = placer_.place(hosts_, services_, service, count);
    if (chosen.size() != count) fatal("a placer left a replica without a host");
    for (const auto host : chosen) {
      result_.bytes_moved += hosts_[host].start(service);
      ++result_.starts;
      service.replicas.push_back(host);
    }
  }

  void stop_one(ModelService& service) {
    hosts_[service.replicas.back()].stop(service);
    service.replicas.pop_back();
  }

  void measure() {
    std::uint64_t sum = 0;
    std::uint64_t most = 0;
    for (const auto& host : hosts_) {
      sum += host.containers();
      most = std::max(most, host.containers());
    }
    const double mean = static_cast<double>(sum) / static_cast<double>(hosts_.size());
    result_.load_mean += mean;
    result_.load_max += static_cast<double>(most);
    result_.load_peak = std::max(result_.load_peak, static_cast<double>(most) / mean);
  }

  const ModelOptions& options_;
  ModelPlacer& placer_;
  sim::Random random_;
  Catalog catalog_;
  std::vector<ModelHost> hosts_;
  std::vector<ModelService> services_;
  ModelResult result_;
};

}  // namespace

std::string ModelService::name() const { return fmt::format("s{}", number); }

std::string ModelService::image() const { return fmt::format("s{}:{}", number, version); }

std::uint64_t ModelService::bytes() const {
  std::uint64_t sum = 0;
  for (const auto& layer : layers) sum += layer.bytes;
  return sum;
}

std::vector<std::uint32_t> ModelHost::layers() const {
  std::vector<std::uint32_t> ids;
  for (const auto& [id, cached] : cached_) ids.push_back(id);
  return ids;
}

std::uint64_t ModelHost::start(const ModelService& service) {
  std::uint64_t moved = 0;
  ++containers_;
  auto& image = images_[service.image()];
  image.clear();
  for (const auto& layer : service.layers) {
    const auto [entry, added] = cached_.try_emplace(layer.id, Cached{layer.bytes, 0, {}});
    if (added) {
      moved += layer.bytes;
      used_bytes_ += layer.bytes;
    } else {
      order_.erase(entry->second.place);
    }
    entry->second.place = order_.insert(order_.end(), layer.id);
    ++entry->second.users;
    image.push_back(layer.id);
  }
  evict();
  return moved;
}

void ModelHost::stop(const ModelService& service) {
  --containers_;
  for (const auto& layer : service.layers) --cached_.at(layer.id).users;
}

void ModelHost::evict() {
  for (auto next = order_.begin(); next != order_.end() && used_bytes_ > cache_bytes_;) {
    const auto entry = cached_.find(*next);
    if (entry->second.users > 0) {
      ++next;
      continue;
    }
    used_bytes_ -= entry->second.bytes;
    std::erase_if(images_, [&](const auto& image) {
      return std::find(image.second.begin(), image.second.end(), *next) != image.second.end();
    });
    cached_.erase(entry);
    next = order_.erase(next);
  }
}

ModelResult run_model(const ModelOptions& options, ModelPlacer& placer) {
  return Model(options, placer).run();
}

}  // namespace shoal::bench

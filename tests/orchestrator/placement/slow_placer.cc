#include "tests/orchestrator/placement/slow_placer.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <set>

namespace shoal {
namespace {

// The hash of placer.h's rendezvous: FNV-1a and splitmix64's finalizer, as p2p/rendezvous.h has it.
std::uint64_t scramble(std::uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

std::uint64_t digest(const std::string& text) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const unsigned char c : text) hash = (hash ^ c) * 0x100000001b3;
  return scramble(hash);
}

struct Box {
  const HostView* view;
  std::size_t given;
  std::vector<HostContainer> containers;  // But for those that are decided about.
  std::vector<HeldLayer> layers;
  std::uint64_t disk_taken = 0;
  std::vector<const PlacementRequest*> placed{};

  [[nodiscard]] std::uint64_t running() const {
    return static_cast<std::uint64_t>(
        std::count_if(containers.begin(), containers.end(), [](auto& c) { return c.running; }));
  }
  [[nodiscard]] std::uint64_t replicas(const std::string& service) const {
    return static_cast<std::uint64_t>(
        std::count_if(containers.begin(), containers.end(),
                      [&](auto& c) { return c.running && c.service == service; }));
  }
  [[nodiscard]] std::uint64_t mhz(const Resources& asked) const {
    const auto speed = view->cpu_mhz > 0 && view->cores > 0 ? view->cpu_mhz / view->cores : 1000;
    const double share = static_cast<double>(asked.cpu_thousandths * speed) / 1000;
    return asked.cpu_mhz + static_cast<std::uint64_t>(std::ceil(share));
  }
  [[nodiscard]] std::string label(const std::string& key) const {
    const auto entry = view->labels.find(key);
    return entry == view->labels.end() ? "" : entry->second;
  }
};

struct Bytes {
  std::uint64_t peers = 0;
  std::uint64_t upstream = 0;
  std::uint64_t flight = 0;
  std::uint64_t unpack = 0;
};

class SlowRun {
 public:
  SlowRun(const std::vector<PlacementRequest>& requests, const std::vector<HostView>& hosts,
          const std::vector<PlacementImage>& images, const PlacementOptions& options)
      : requests_(requests), images_(images), options_(options) {
    std::set<std::string> slots;
    for (const auto& request : requests) slots.insert(request.slot);
    for (std::size_t i = 0; i < hosts.size(); ++i) {
      Box box{&hosts[i], i, {}, hosts[i].layers, 0};
      for (const auto& container : hosts[i].containers) {
        if (slots.count(container.name) == 0) box.containers.push_back(container);
      }
      boxes_.push_back(std::move(box));
    }
    std::sort(boxes_.begin(), boxes_.end(),
              [](const Box& a, const Box& b) { return a.view->name < b.view->name; });
    placement_.slots.resize(requests.size());
    for (std::size_t i = 0; i < requests.size(); ++i) {
      placement_.slots[i].slot = requests[i].slot;
    }
  }

  Placement run() {
    if (!options_.rebalance) {
      std::vector<std::size_t> all(requests_.size());
      std::iota(all.begin(), all.end(), 0);
      rounds(all, [this](std::size_t i) { return stays(i); });
    }
    std::vector<std::size_t> rest;
    for (std::size_t i = 0; i < requests_.size(); ++i) {
      if (!placement_.slots[i].node) rest.push_back(i);
    }
    std::stable_sort(rest.begin(), rest.end(), [this](std::size_t a, std::size_t b) {
      const auto& one = requests_[a].resources;
      const auto& two = requests_[b].resources;
      if (one.memory_bytes != two.memory_bytes) return one.memory_bytes > two.memory_bytes;
      const auto one_cpu = one.cpu_mhz + one.cpu_thousandths;
      const auto two_cpu = two.cpu_mhz + two.cpu_thousandths;
      if (one_cpu != two_cpu) return one_cpu > two_cpu;
      return first_of(requests_[a].service) < first_of(requests_[b].service);
    });
    rounds(rest, [this](std::size_t i) { return goes(i); });
    return std::move(placement_);
  }

 private:
  template <class Attempt>
  void rounds(std::vector<std::size_t> pending, Attempt attempt) {
    for (std::size_t before = pending.size() + 1; pending.size() < before;) {
      before = pending.size();
      std::erase_if(pending, attempt);
    }
  }

  /// Requests of one service are alike here.
  [[nodiscard]] std::size_t first_of(const std::string& service) const {
    std::size_t i = 0;
    while (requests_[i].service != service) ++i;
    return i;
  }

  bool stays(std::size_t index) {
    const auto& request = requests_[index];
    for (auto& box : boxes_) {
      bool here = box.view->name == request.current_host ||
                  (!box.view->address.empty() && box.view->address == request.current_host);
      for (const auto& container : box.view->containers) {
        here = here || (container.running && container.name == request.slot);
      }
      if (!here || refused(box, request)) continue;
      placement_.slots[index].stays = true;
      put(index, box);
      return true;
    }
    return false;
  }

  bool goes(std::size_t index) {
    Box* best = nullptr;
    std::vector<std::uint64_t> least;
    for (auto& box : boxes_) {
      if (refused(box, requests_[index])) continue;
      auto own = key(box, requests_[index]);
      if (best == nullptr || own < least) {
        best = &box;
        least = std::move(own);
      }
    }
    if (best == nullptr) return false;
    turn_ = static_cast<std::size_t>(best - boxes_.data() + 1) % boxes_.size();
    put(index, *best);
    return true;
  }

  void put(std::size_t index, Box& box) {
    const auto& request = requests_[index];
    auto& decision = placement_.slots[index];
    const auto lack = lacks(box, request);
    decision.node = box.given;
    decision.bytes_from_peers = lack.peers + lack.flight;
    decision.bytes_from_upstream = lack.upstream;
    decision.seconds_until_ready = seconds(box, lack);
    for (const auto& one : request.expressions) {
      if (one.soft() && !holds(one, box)) decision.unmet.push_back(one.text());
    }
    decision.explanation = refusals(request);
    box.disk_taken += lack.peers + lack.upstream + lack.flight + lack.unpack;
    box.placed.push_back(&request);
    HostContainer container;
    container.name = request.slot;
    container.service = request.service;
    container.image = request.image;
    container.labels = request.labels;
    container.ports = request.ports;
    container.resources = request.resources;
    box.containers.push_back(std::move(container));
    for (const auto& layer : layers_for(box, request)) {
      box.layers.push_back({layer.digest, std::nullopt, false, true});
    }
  }

  [[nodiscard]] Explanation refusals(const PlacementRequest& request) const {
    std::map<PlacementFilter, std::vector<Rejection>> groups;
    for (const auto& box : boxes_) {
      const auto filter = refused(box, request);
      if (filter) groups[*filter].push_back({box.view->name, ""});
    }
    Explanation explanation;
    explanation.rejected.assign(groups.begin(), groups.end());
    return explanation;
  }

  [[nodiscard]] const PlacementImage* image_of(const PlacementRequest& request) const {
    for (const auto& image : images_) {
      if (image.name == request.image) return &image;
    }
    return nullptr;
  }

  /// Each layer once.
  [[nodiscard]] std::vector<PlacementLayer> layers_for(const Box& box,
                                                       const PlacementRequest& request) const {
    std::vector<PlacementLayer> layers;
    const auto* image = image_of(request);
    if (image == nullptr) return layers;
    for (const auto& manifest : image->manifests) {
      if (!runs_on(manifest.platform, box.view->platform)) continue;
      for (const auto& layer : manifest.layers) {
        const bool seen = std::any_of(layers.begin(), layers.end(),
                                      [&](auto& other) { return other.digest == layer.digest; });
        if (!seen) layers.push_back(layer);
      }
      break;
    }
    return layers;
  }

  /// The last that is said of a layer counts.
  static const HeldLayer* find(const Box& box, const PlacementLayer& layer) {
    const HeldLayer* found = nullptr;
    for (const auto& held : box.layers) {
      if (held.digest == layer.digest) found = &held;
    }
    return found;
  }

  static bool is_whole(const HeldLayer& held, const PlacementLayer& layer) {
    return !held.bytes || *held.bytes >= layer.bytes;
  }

  [[nodiscard]] Bytes lacks(const Box& box, const PlacementRequest& request) const {
    Bytes lack;
    for (const auto& layer : layers_for(box, request)) {
      const auto* held = find(box, layer);
      const bool whole = held != nullptr && is_whole(*held, layer);
      if (!whole || !held->unpacked) {
        lack.unpack += layer.unpacked_bytes > 0 ? layer.unpacked_bytes : layer.bytes * 5 / 2;
      }
      if (whole) continue;
      const auto missing = layer.bytes - (held == nullptr ? 0 : *held->bytes);
      const bool anywhere = std::any_of(boxes_.begin(), boxes_.end(), [&](const Box& other) {
        const auto* there = find(other, layer);
        return there != nullptr && is_whole(*there, layer) && other.view->alive;
      });
      if (held != nullptr && held->fetching)
        lack.flight += missing;
      else if (anywhere)
        lack.peers += missing;
      else
        lack.upstream += missing;
    }
    return lack;
  }

  static double seconds(const Box& box, const Bytes& lack) {
    const auto over = [](std::uint64_t bytes, std::uint64_t rate) {
      return static_cast<double>(bytes) / static_cast<double>(rate);
    };
    const bool waits = lack.peers + lack.upstream + lack.flight > 0;
    return over((waits ? box.view->queue_bytes : 0) + lack.peers, box.view->rates.fetch) +
           over(lack.upstream, box.view->rates.upstream) +
           over(lack.unpack, box.view->rates.unpack);
  }

  static bool holds(const Expression& one, const Box& box) {
    std::vector<std::string> texts;
    const auto add_image = [&](const std::string& image) {
      texts.push_back(image);
      texts.push_back(image.substr(0, image.rfind(':')));
    };
    if (one.kind() == ExpressionKind::whitelist) {
      texts = {box.view->name};
    } else if (one.kind() == ExpressionKind::constraint && one.key() == "node") {
      texts = {box.view->name, box.view->id};
    } else if (one.kind() == ExpressionKind::constraint) {
      const auto fact = box.view->facts.find(one.key());
      texts = {fact == box.view->facts.end() ? box.label(one.key()) : fact->second};
    } else if (one.key() == "image") {
      for (const auto& image : box.view->images) add_image(image);
      for (const auto& container : box.containers) {
        if (!container.image.empty()) add_image(container.image);
      }
    } else {
      for (const auto& container : box.containers) {
        const auto label = container.labels.find(one.key());
        if (one.key() == "container")
          texts.push_back(container.name);
        else
          texts.push_back(label == container.labels.end() ? "" : label->second);
      }
    }
    return std::any_of(texts.begin(), texts.end(), [&](auto& t) { return one.fits(t); }) !=
           one.negated();
  }

  [[nodiscard]] std::uint64_t total(std::uint64_t own) const {
    return own + static_cast<std::uint64_t>(static_cast<double>(own) * options_.overcommit);
  }

  static std::uint64_t memory_used(const Box& box) {
    std::uint64_t used = 0;
    for (const auto& c : box.containers) used += c.running ? c.resources.memory_bytes : 0;
    return used;
  }
  static std::uint64_t cpu_used(const Box& box) {
    std::uint64_t used = 0;
    for (const auto& c : box.containers) used += c.running ? box.mhz(c.resources) : 0;
    return used;
  }
  [[nodiscard]] std::uint64_t cpu_total(const Box& box) const {
    return total(box.view->cpu_mhz > 0 ? box.view->cpu_mhz : box.view->cores * 1000ULL);
  }

  [[nodiscard]] std::optional<PlacementFilter> refused(const Box& box,
                                                       const PlacementRequest& request) const {
    const auto& view = *box.view;
    if (!view.alive) return PlacementFilter::alive;
    if (view.draining) return PlacementFilter::draining;
    if (view.health == 0) return PlacementFilter::health;
    if (!runs_on(request.platform, view.platform)) return PlacementFilter::platform;
    const auto* image = image_of(request);
    if (image != nullptr &&
        std::none_of(image->manifests.begin(), image->manifests.end(),
                     [&](auto& one) { return runs_on(one.platform, view.platform); })) {
      return PlacementFilter::platform;
    }
    for (const auto& one : request.expressions) {
      if (one.soft() || holds(one, box)) continue;
      return one.kind() == ExpressionKind::affinity ? PlacementFilter::affinity
                                                    : PlacementFilter::constraint;
    }
    if (!request.tags.empty() &&
        std::none_of(request.tags.begin(), request.tags.end(),
                     [&](auto& tag) { return view.labels.count(tag) > 0; })) {
      return PlacementFilter::constraint;
    }
    for (const auto& name : request.beside) {
      if (std::none_of(box.containers.begin(), box.containers.end(),
                       [&](auto& container) { return container.name == name; })) {
        return PlacementFilter::beside;
      }
    }
    const auto slots = box.label("containerslots");
    if (!slots.empty() && slots.find_first_not_of("0123456789") == std::string::npos &&
        box.running() >= std::stoull(slots)) {
      return PlacementFilter::slots;
    }
    for (const auto& container : box.containers) {
      for (const auto& taken : container.ports) {
        for (const auto& wanted : request.ports) {
          if (clash(taken, wanted)) return PlacementFilter::port;
        }
      }
    }
    const auto memory = request.resources.memory_bytes;
    if (memory > 0 && view.memory_bytes > 0 && memory_used(box) + memory > total(view.memory_bytes))
      return PlacementFilter::memory;
    const auto cpu = box.mhz(request.resources);
    if (cpu > 0 && cpu_total(box) > 0 && cpu_used(box) + cpu > cpu_total(box))
      return PlacementFilter::cpu;
    const auto lack = lacks(box, request);
    const auto disk = lack.peers + lack.upstream + lack.flight + lack.unpack;
    if (disk > 0 && view.disk_free_bytes &&
        disk + box.disk_taken + view.disk_reserve_bytes > *view.disk_free_bytes) {
      return PlacementFilter::disk;
    }
    for (const auto* other : box.placed) {
      for (const auto& one : other->expressions) {
        if (one.kind() != ExpressionKind::affinity || one.soft() || !one.negated()) continue;
        Box alone{box.view, 0, {}, {}, 0};
        HostContainer container;
        container.name = request.slot;
        container.image = request.image;
        container.labels = request.labels;
        alone.containers = {container};
        HostView bare;
        alone.view = &bare;
        if (!holds(one, alone)) return PlacementFilter::repelled;
      }
    }
    return std::nullopt;
  }

  /// The last part of every key is never equal on two hosts.
  [[nodiscard]] std::vector<std::uint64_t> key(const Box& box,
                                               const PlacementRequest& request) const {
    std::vector<std::uint64_t> unmet;
    for (const auto& one : request.expressions) {
      if (one.soft()) unmet.push_back(holds(one, box) ? 0 : 1);
    }
    std::vector<std::uint64_t> skew;
    for (const auto& spread : request.spread) skew.push_back(excess(box, request, spread));
    const std::vector<std::uint64_t> own = {box.replicas(request.service)};
    const std::vector<std::uint64_t> overload = {is_overloaded(box) ? 1U : 0U};
    const std::vector<std::uint64_t> ready = {
        static_cast<std::uint64_t>(std::llround(seconds(box, lacks(box, request)) * 4))};
    const std::vector<std::uint64_t> load = {box.running()};
    const auto slot = digest(request.service + "\n" + request.slot);
    const std::vector<std::uint64_t> hash = {~scramble(slot ^ digest(box.view->name))};
    const auto join = [](std::vector<std::vector<std::uint64_t>> lists) {
      std::vector<std::uint64_t> all;
      for (const auto& list : lists) all.insert(all.end(), list.begin(), list.end());
      return all;
    };
    constexpr std::uint64_t kFar = 1'000'000'000;
    switch (options_.strategy) {
      case PlacementStrategy::layers: return join({unmet, skew, own, overload, ready, load, hash});
      case PlacementStrategy::pack:
        return join({unmet, {kFar - full(box, request)}, skew, own, overload, ready, load, hash});
      case PlacementStrategy::locality:
        return join({unmet, ready, overload, skew, own, load, hash});
      case PlacementStrategy::spread:
        return join({unmet,
                     skew,
                     own,
                     {kFar + percent(box, request) - 10ULL * box.view->health},
                     load,
                     ready,
                     hash});
      case PlacementStrategy::binpack:
        return join({unmet,
                     skew,
                     {kFar - percent(box, request) - 10ULL * box.view->health},
                     {kFar - box.running()},
                     ready,
                     hash});
      case PlacementStrategy::random:
        return join(
            {unmet, skew, {~scramble(scramble(options_.seed ^ slot) ^ digest(box.view->name))}});
      case PlacementStrategy::round_robin: {
        const auto place = static_cast<std::size_t>(&box - boxes_.data());
        return join({unmet, skew, {(place + boxes_.size() - turn_) % boxes_.size()}});
      }
    }
    return {};
  }

  [[nodiscard]] std::uint64_t excess(const Box& box, const PlacementRequest& request,
                                     const SpreadLabel& spread) const {
    std::map<std::string, std::uint64_t> replicas;
    std::set<std::string> usable;
    for (const auto& other : boxes_) {
      replicas[other.label(spread.label)] += other.replicas(request.service);
      if (!refused(other, request)) usable.insert(other.label(spread.label));
    }
    std::uint64_t least = UINT64_MAX;
    for (const auto& value : usable) least = std::min(least, replicas[value]);
    const auto above = replicas[box.label(spread.label)] + 1 - least;
    return above > spread.max_skew ? above - spread.max_skew : 0;
  }

  [[nodiscard]] bool is_overloaded(const Box& box) const {
    double sum = 0;
    double count = 0;
    for (const auto& other : boxes_) {
      if (!other.view->alive || other.view->draining || other.view->health == 0) continue;
      sum += static_cast<double>(other.running());
      ++count;
    }
    return static_cast<double>(box.running() + 1) > options_.load_bound * (sum / count) + 1;
  }

  static std::uint64_t part_of(std::uint64_t used, std::uint64_t all, std::uint64_t parts) {
    return static_cast<std::uint64_t>(static_cast<double>(used) * static_cast<double>(parts) /
                                      static_cast<double>(all));
  }

  [[nodiscard]] std::uint64_t percent(const Box& box, const PlacementRequest& request) const {
    const auto memory = request.resources.memory_bytes;
    const auto all = total(box.view->memory_bytes);
    const auto cpu = box.mhz(request.resources);
    return (memory == 0 || all == 0 ? 100 : part_of(memory_used(box) + memory, all, 100)) +
           (cpu == 0 || cpu_total(box) == 0 ? 100
                                            : part_of(cpu_used(box) + cpu, cpu_total(box), 100));
  }

  [[nodiscard]] std::uint64_t full(const Box& box, const PlacementRequest& request) const {
    const auto memory = request.resources.memory_bytes;
    const auto all = total(box.view->memory_bytes);
    const auto cpu = box.mhz(request.resources);
    if (memory == 0 && cpu == 0) return box.running();
    return (memory == 0 || all == 0 ? 0 : part_of(memory_used(box) + memory, all, 1000)) +
           (cpu == 0 || cpu_total(box) == 0 ? 0
                                            : part_of(cpu_used(box) + cpu, cpu_total(box), 1000));
  }

  const std::vector<PlacementRequest>& requests_;
  const std::vector<PlacementImage>& images_;
  const PlacementOptions options_;
  std::vector<Box> boxes_;  // By name.
  Placement placement_;
  std::size_t turn_ = 0;
};

}  // namespace

Placement place_slowly(const std::vector<PlacementRequest>& requests,
                       const std::vector<HostView>& hosts,
                       const std::vector<PlacementImage>& images, const PlacementOptions& options) {
  return SlowRun(requests, hosts, images, options).run();
}

}  // namespace shoal

#include "orchestrator/placement/placer.h"

#include <algorithm>
#include <array>
#include <memory>
#include <numeric>
#include <set>
#include <tuple>
#include <unordered_map>
#include <unordered_set>

#include <fmt/format.h>

#include "orchestrator/placement/explain.h"
#include "orchestrator/placement/ranking.h"
#include "orchestrator/placement/request_class.h"
#include "orchestrator/placement/world.h"

namespace shoal {
namespace {

constexpr std::array<std::string_view, 7> kStrategyNames = {
    "layers", "pack", "locality", "spread", "binpack", "random", "round-robin"};
constexpr std::array<std::string_view, kFilters> kFilterNames = {
    "alive", "draining", "health", "platform", "constraint", "affinity", "beside",
    "slots", "port",     "memory", "cpu",      "disk",       "repelled"};

/// One class of requests and how many of them are still without a decision.
struct ClassUse {
  std::unique_ptr<RequestClass> requests;
  std::size_t rest = 0;
  std::size_t first = 0;  // Which of all requests was the first of it.
};

class Run {
 public:
  Run(const std::vector<PlacementRequest>& requests, const std::vector<HostView>& nodes,
      const std::vector<PlacementImage>& images, const PlacementOptions& options)
      : requests_(requests), world_(requests, nodes, images, options) {
    placement_.slots.resize(requests.size());
    for (std::size_t i = 0; i < requests.size(); ++i) {
      placement_.slots[i].slot = requests[i].slot;
      auto& use = by_text_[RequestClass::text_of(requests[i])];
      if (!use.requests) {
        use.requests = std::make_unique<RequestClass>(requests[i], world_);
        use.first = i;
      }
      ++use.rest;
      uses_.push_back(&use);
      const auto* image = use.requests->image();
      if (image != nullptr) ++image_rest_[image];
    }
    find_current();
  }

  Placement run() {
    if (!world_.options().rebalance) keep_all();
    place_all();
    return std::move(placement_);
  }

 private:
  void find_current();
  void keep_all();
  void place_all();
  [[nodiscard]] bool keep(std::size_t index);
  [[nodiscard]] bool place(std::size_t index, bool last_word);
  void settle(std::size_t index, NodeIndex node, const Ranking* ranking);
  void give_up(std::size_t index);
  void decided(std::size_t index);

  /// Calls `attempt` for those of `pending` that it has not settled, round after round, until a
  /// round settles none: who waits for another may stand before it. Leaves the rest in `pending`.
  template <class Attempt>
  void settle_in_rounds(std::vector<std::size_t>& pending, Attempt attempt) {
    for (bool progress = true; progress && !pending.empty();) {
      const auto before = pending.size();
      std::erase_if(pending, attempt);
      progress = pending.size() < before;
    }
  }

  const std::vector<PlacementRequest>& requests_;
  World world_;
  Placement placement_;
  std::unordered_map<std::string, ClassUse> by_text_;
  std::vector<ClassUse*> uses_;  // By request.
  std::unordered_map<const ImageLacks*, std::size_t> image_rest_;
  std::vector<std::set<NodeIndex>> current_;  // By request: where it runs.
  NodeIndex turn_ = 0;
};

void Run::find_current() {
  std::unordered_map<std::string_view, NodeIndex> by_name;
  std::unordered_map<std::string_view, std::vector<NodeIndex>> by_slot;
  for (NodeIndex node = 0; node < world_.nodes().size(); ++node) {
    const HostView& view = *world_.nodes()[node].view;
    by_name[view.name] = node;
    if (!view.address.empty()) by_name.emplace(view.address, node);
    for (const auto& container : view.containers) {
      if (container.running) by_slot[container.name].push_back(node);
    }
  }
  for (const auto& request : requests_) {
    std::set<NodeIndex> current;
    const auto named = by_name.find(request.current_host);
    if (named != by_name.end()) current.insert(named->second);
    const auto running = by_slot.find(request.slot);
    if (running != by_slot.end()) current.insert(running->second.begin(), running->second.end());
    current_.push_back(std::move(current));
  }
}

void Run::keep_all() {
  std::vector<std::size_t> pending;
  for (std::size_t i = 0; i < requests_.size(); ++i) {
    if (!current_[i].empty()) pending.push_back(i);
  }
  settle_in_rounds(pending, [this](std::size_t index) { return keep(index); });
}

bool Run::keep(std::size_t index) {
  RequestClass& requests = *uses_[index]->requests;
  requests.refresh(requests_[index]);
  const auto stays = std::find_if(current_[index].begin(), current_[index].end(),
                                  [&](NodeIndex node) { return requests.passes(node); });
  if (stays == current_[index].end()) return false;
  placement_.slots[index].stays = true;
  settle(index, *stays, nullptr);
  return true;
}

void Run::place_all() {
  std::vector<std::size_t> pending;
  for (std::size_t i = 0; i < requests_.size(); ++i) {
    if (!placement_.slots[i].node) pending.push_back(i);
  }
  // The largest first, so that small ones do not break up the room that they need. Requests of a
  // class stay together, which is what keeps its numbers warm.
  const auto key = [this](std::size_t index) {
    const auto& asked = requests_[index].resources;
    return std::make_tuple(~asked.memory_bytes, ~(asked.cpu_mhz + asked.cpu_thousandths),
                           uses_[index]->first, index);
  };
  std::sort(pending.begin(), pending.end(),
            [&](std::size_t a, std::size_t b) { return key(a) < key(b); });
  settle_in_rounds(pending, [this](std::size_t index) { return place(index, false); });
  for (const auto index : pending) static_cast<void>(place(index, true));
}

bool Run::place(std::size_t index, bool last_word) {
  RequestClass& requests = *uses_[index]->requests;
  requests.refresh(requests_[index]);
  requests.count_domains();
  const Ranking ranking(requests, requests_[index], turn_);
  const auto node = ranking.best();
  if (!node && requests.waits_for_others() && !last_word) return false;
  if (!node) {
    give_up(index);
    return true;
  }
  turn_ = static_cast<NodeIndex>((*node + 1) % world_.nodes().size());
  settle(index, *node, &ranking);
  return true;
}

void Run::settle(std::size_t index, NodeIndex node, const Ranking* ranking) {
  RequestClass& requests = *uses_[index]->requests;
  SlotDecision& decision = placement_.slots[index];
  const Lack lack = requests.lack(node);
  decision.node = world_.given_index(node);
  decision.unmet = requests.unmet_texts(node);
  decision.bytes_from_peers = lack.from_peers + lack.in_flight;
  decision.bytes_from_upstream = lack.from_upstream;
  decision.seconds_until_ready = seconds_until_ready(*world_.nodes()[node].view, lack);
  if (world_.options().explain) decision.explanation = explain(requests, ranking, node);
  world_.place(requests_[index], node, requests.image());
  decided(index);
}

void Run::give_up(std::size_t index) {
  const RequestClass& requests = *uses_[index]->requests;
  SlotDecision& decision = placement_.slots[index];
  decision.problem = problem_text(requests, decision.slot);
  if (world_.options().explain) decision.explanation = explain(requests, nullptr, {});
  decided(index);
}

void Run::decided(std::size_t index) {
  ClassUse& use = *uses_[index];
  ImageLacks* image = use.requests->image();
  if (--use.rest == 0) use.requests->forget();
  if (image != nullptr && --image_rest_[image] == 0) image->forget();
}

template <class T, class Name>
Result<void> check_names(const std::vector<T>& things, std::string_view noun, Name name) {
  std::unordered_set<std::string_view> seen;
  for (const auto& thing : things) {
    const std::string& own = name(thing);
    if (own.empty()) return fail(Errc::usage, fmt::format("a {} has no name", noun));
    if (!seen.insert(own).second) {
      return fail(Errc::usage, fmt::format("there are two {}s of the name {}", noun, own));
    }
  }
  return {};
}

Result<void> check(const PlacementRequest& request) {
  if (request.spread.size() > kSpreadLabelsMax) {
    return fail(Errc::usage,
                fmt::format("{} spreads over more than {} labels", request.slot, kSpreadLabelsMax));
  }
  for (const auto& [label, max_skew] : request.spread) {
    if (max_skew == 0) {
      return fail(Errc::usage,
                  fmt::format("{}: the skew over {} is at least 1", request.slot, label));
    }
  }
  const auto soft = std::count_if(request.expressions.begin(), request.expressions.end(),
                                  [](const Expression& expression) { return expression.soft(); });
  if (static_cast<std::size_t>(soft) > kSoftExpressionsMax) {
    return fail(Errc::usage, fmt::format("{} has more than {} soft expressions", request.slot,
                                         kSoftExpressionsMax));
  }
  return {};
}

}  // namespace

std::string_view to_string(PlacementStrategy strategy) {
  return kStrategyNames[static_cast<std::size_t>(strategy)];
}

Result<PlacementStrategy> parse_strategy(std::string_view text) {
  const auto* const name = std::find(kStrategyNames.begin(), kStrategyNames.end(), text);
  if (name == kStrategyNames.end()) {
    return fail(Errc::usage, fmt::format("there is no strategy `{}`; there are: {}", text,
                                         fmt::join(kStrategyNames, ", ")));
  }
  return static_cast<PlacementStrategy>(name - kStrategyNames.begin());
}

std::string_view to_string(PlacementFilter filter) {
  return kFilterNames[static_cast<std::size_t>(filter)];
}

bool Placement::complete() const {
  return std::all_of(slots.begin(), slots.end(),
                     [](const SlotDecision& slot) { return slot.node.has_value(); });
}

Result<Placement> place(const std::vector<PlacementRequest>& requests,
                        const std::vector<HostView>& nodes,
                        const std::vector<PlacementImage>& images,
                        const PlacementOptions& options) {
  const auto hosts = check_names(
      nodes, "host", [](const HostView& node) -> const std::string& { return node.name; });
  if (!hosts) return tl::unexpected(hosts.error());
  const auto slots = check_names(
      requests, "slot",
      [](const PlacementRequest& request) -> const std::string& { return request.slot; });
  if (!slots) return tl::unexpected(slots.error());
  for (const auto& request : requests) {
    const auto checked = check(request);
    if (!checked) return tl::unexpected(checked.error());
  }
  return Run(requests, nodes, images, options).run();
}

}  // namespace shoal

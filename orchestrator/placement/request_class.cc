#include "orchestrator/placement/request_class.h"

#include <algorithm>
#include <limits>

#include <fmt/format.h>

namespace shoal {
namespace {

std::string bytes_text(std::uint64_t bytes) {
  constexpr std::uint64_t kMiB = 1 << 20;
  if (bytes < kMiB) return fmt::format("{} B", bytes);
  return fmt::format("{:.1f} MiB", static_cast<double>(bytes) / kMiB);
}

std::string mhz_text(std::uint64_t mhz) { return fmt::format("{} MHz", mhz); }

/// Whether `asked` fits beside `used`, without overflow.
bool fits(std::uint64_t asked, std::uint64_t used, std::uint64_t total) {
  return used <= total && asked <= total - used;
}

std::uint64_t rest_of(std::uint64_t total, std::uint64_t used) {
  return total > used ? total - used : 0;
}

std::uint64_t disk_room(const NodeUsage& node) {
  const auto& view = *node.view;
  return rest_of(rest_of(view.disk_free_bytes.value_or(0), view.disk_reserve_bytes),
                 node.disk_taken);
}

void append(std::string& text, std::string_view part) {
  // With its length in front, so that no text of one field can pass for another field.
  text += fmt::format("{}:{};", part.size(), part);
}

}  // namespace

std::string RequestClass::text_of(const PlacementRequest& request) {
  std::string text;
  append(text, request.service);
  append(text, request.image);
  append(text, request.platform.text());
  text += fmt::format("{},{},{};", request.resources.memory_bytes, request.resources.cpu_mhz,
                      request.resources.cpu_thousandths);
  for (const auto& port : request.ports) append(text, port.text());
  text += '|';
  for (const auto& tag : request.tags) append(text, tag);
  text += '|';
  for (const auto& expression : request.expressions) append(text, expression.text());
  text += '|';
  for (const auto& name : request.beside) append(text, name);
  text += '|';
  for (const auto& [label, max_skew] : request.spread) {
    append(text, label);
    text += fmt::format("{};", max_skew);
  }
  return text;
}

RequestClass::RequestClass(const PlacementRequest& sample, World& world)
    : sample_(sample),
      world_(world),
      image_(world.image(sample.image)),
      waits_(!sample.beside.empty()) {
  for (const auto& expression : sample.expressions) {
    auto& list = expression.soft() ? soft_ : hard_;
    list.push_back(&world.fact(expression));
    waits_ = waits_ || (!expression.soft() && expression.kind() == ExpressionKind::affinity &&
                        !expression.negated());
  }
}

void RequestClass::start() {
  const auto& nodes = world_.nodes();
  verdicts_.assign(nodes.size(), kPasses);
  unmet_.assign(nodes.size(), 0);
  replicas_.assign(nodes.size(), 0);
  for (const auto& [node, count] : world_.replicas(sample_.service)) replicas_[node] = count;
  domains_.clear();
  for (const auto& spread : sample_.spread) {
    Domains domains;
    domains.of = &world_.label_values(spread.label);
    for (NodeIndex i = 0; i < nodes.size(); ++i) {
      const auto number = (*domains.of)[i];
      domains.replicas.resize(std::max<std::size_t>(domains.replicas.size(), number + 1));
      domains.replicas[number] += replicas_[i];
    }
    domains_.push_back(std::move(domains));
  }
  for (NodeIndex i = 0; i < nodes.size(); ++i) judge(i);
}

void RequestClass::refresh(const PlacementRequest& slot) {
  if (image_ != nullptr) world_.refresh(*image_);
  const auto& log = world_.log();
  if (verdicts_.empty()) {
    start();
  } else {
    for (auto i = log_seen_; i < log.size(); ++i) {
      const auto node = log[i].node;
      if (log[i].request->service == sample_.service) {
        ++replicas_[node];
        for (auto& domains : domains_) ++domains.replicas[(*domains.of)[node]];
      }
      judge(node);
    }
  }
  log_seen_ = log.size();
  repel(slot);
}

void RequestClass::repel(const PlacementRequest& slot) {
  // Names are not part of the class: who was kept away last is judged anew.
  for (const auto& [node, expression] : repelled_) judge(node);
  repelled_.clear();
  for (const auto& repelling : world_.repelling(slot)) {
    if (!passes(repelling.first)) continue;
    verdicts_[repelling.first] = static_cast<std::uint8_t>(PlacementFilter::repelled);
    repelled_.push_back(repelling);
  }
}

void RequestClass::forget() {
  // `= {}` would empty them, and keep the memory.
  verdicts_ = decltype(verdicts_)();
  unmet_ = decltype(unmet_)();
  replicas_ = decltype(replicas_)();
  domains_ = decltype(domains_)();
  repelled_ = decltype(repelled_)();
}

void RequestClass::count_domains() {
  for (std::size_t i = 0; i < domains_.size(); ++i) {
    auto& domains = domains_[i];
    std::uint32_t least = std::numeric_limits<std::uint32_t>::max();
    for (NodeIndex node = 0; node < verdicts_.size(); ++node) {
      if (passes(node)) least = std::min(least, domains.replicas[(*domains.of)[node]]);
    }
    domains.excess.assign(domains.replicas.size(), 0);
    for (std::size_t domain = 0; domain < domains.replicas.size(); ++domain) {
      // Of domains that no host stands for, the number is never looked at.
      const auto above = domains.replicas[domain] - std::min(least, domains.replicas[domain]) + 1;
      domains.excess[domain] = above - std::min(above, sample_.spread[i].max_skew);
    }
  }
}

void RequestClass::judge(NodeIndex node) {
  const auto refused = verdict(world_.nodes()[node], node);
  verdicts_[node] = refused ? static_cast<std::uint8_t>(*refused) : kPasses;
  std::uint32_t unmet = 0;
  for (const auto* fact : soft_) unmet = unmet << 1 | (fact->holds(node) ? 0U : 1U);
  unmet_[node] = unmet;
}

bool RequestClass::has_tag(const HostView& view) const {
  return sample_.tags.empty() ||
         std::any_of(sample_.tags.begin(), sample_.tags.end(),
                     [&](const std::string& tag) { return view.labels.count(tag) > 0; });
}

std::optional<PlacementFilter> RequestClass::verdict(const NodeUsage& node, NodeIndex index) const {
  const HostView& view = *node.view;
  if (!view.alive) return PlacementFilter::alive;
  if (view.draining) return PlacementFilter::draining;
  if (view.health == 0) return PlacementFilter::health;
  if (!runs_on(sample_.platform, view.platform)) return PlacementFilter::platform;
  if (image_ != nullptr && !image_->runs_on(view.platform)) return PlacementFilter::platform;
  for (const auto* fact : hard_) {
    if (fact->holds(index)) continue;
    return fact->expression().kind() == ExpressionKind::affinity ? PlacementFilter::affinity
                                                                 : PlacementFilter::constraint;
  }
  if (!has_tag(view)) return PlacementFilter::constraint;
  for (const auto& name : sample_.beside) {
    if (node.names.count(name) == 0) return PlacementFilter::beside;
  }
  if (node.containers_max && node.containers >= *node.containers_max) return PlacementFilter::slots;
  for (const auto& port : sample_.ports) {
    if (node.taken(port) != nullptr) return PlacementFilter::port;
  }
  const auto& asked = sample_.resources;
  if (asked.memory_bytes > 0 && node.memory_total > 0 &&
      !fits(asked.memory_bytes, node.memory_used, node.memory_total)) {
    return PlacementFilter::memory;
  }
  const auto cpu = node.cpu_of(asked);
  if (cpu > 0 && node.cpu_total > 0 && !fits(cpu, node.cpu_used, node.cpu_total)) {
    return PlacementFilter::cpu;
  }
  // A host that has all of the image needs no room for it, however full it is.
  const auto disk = lack(index).disk();
  if (disk > 0 && view.disk_free_bytes && disk > disk_room(node)) return PlacementFilter::disk;
  return std::nullopt;
}

std::string RequestClass::why(NodeIndex index, PlacementFilter filter) const {
  const NodeUsage& node = world_.nodes()[index];
  const HostView& view = *node.view;
  const auto lacking = [](std::string asked, std::string free) {
    return fmt::format("{} asked for, {} free", asked, free);
  };
  switch (filter) {
    case PlacementFilter::alive: return "it is not alive";
    case PlacementFilter::draining: return "it is being drained";
    case PlacementFilter::health: return "its engine does not work";
    case PlacementFilter::platform:
      return fmt::format("it is {}, for which there is no {}", view.platform.text(),
                         sample_.platform.known() ? sample_.platform.text() : "image");
    case PlacementFilter::constraint:
    case PlacementFilter::affinity:
      for (const auto* fact : hard_) {
        if (!fact->holds(index)) return "against " + fact->expression().text();
      }
      return fmt::format("it has none of the tags {}", fmt::join(sample_.tags, ", "));
    case PlacementFilter::beside:
      for (const auto& name : sample_.beside) {
        if (node.names.count(name) == 0) return name + " is not there";
      }
      break;
    case PlacementFilter::slots:
      return fmt::format("its {} container slots are taken", node.containers);
    case PlacementFilter::port:
      for (const auto& port : sample_.ports) {
        if (const auto* taken = node.taken(port)) return taken->text() + " is taken";
      }
      break;
    case PlacementFilter::memory:
      return lacking(bytes_text(sample_.resources.memory_bytes),
                     bytes_text(rest_of(node.memory_total, node.memory_used)));
    case PlacementFilter::cpu:
      return lacking(mhz_text(node.cpu_of(sample_.resources)),
                     mhz_text(rest_of(node.cpu_total, node.cpu_used)));
    case PlacementFilter::disk:
      return lacking(bytes_text(lack(index).disk()), bytes_text(disk_room(node)));
    case PlacementFilter::repelled:
      for (const auto& [repelling, expression] : repelled_) {
        if (repelling == index) return "what is there keeps it away by " + expression->text();
      }
      break;
  }
  return "";
}

std::vector<std::string> RequestClass::unmet_texts(NodeIndex node) const {
  std::vector<std::string> texts;
  for (const auto* fact : soft_) {
    if (!fact->holds(node)) texts.push_back(fact->expression().text());
  }
  return texts;
}

}  // namespace shoal

#include "orchestrator/engine/reconcile_steps.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include <fmt/format.h>

namespace shoal {
namespace {

bool is_active(const SeenContainer& one) {
  return one.phase == ContainerPhase::running || one.phase == ContainerPhase::paused ||
         one.phase == ContainerPhase::restarting;
}

/// Has run, and could again.
bool has_ended(const SeenContainer& one) { return one.phase == ContainerPhase::exited; }

std::uint64_t generation_of(const SeenContainer& one) {
  return one.owned.labels() ? one.owned.labels()->generation : 0;
}

/// Decides about one slot.
class SlotSteps {
 public:
  SlotSteps(const WantedSlot& wanted, const SeenHost& seen, const std::set<std::string>& names,
            std::vector<const SeenContainer*> mine, std::set<std::string>& pulls, Steps& out)
      : wanted_(wanted),
        seen_(seen),
        names_(names),
        mine_(std::move(mine)),
        pulls_(pulls),
        out_(out) {}

  void decide() {
    const auto newest = std::max_element(
        mine_.begin(), mine_.end(),
        [](const auto* a, const auto* b) { return generation_of(*a) < generation_of(*b); });
    if (newest != mine_.end() && generation_of(**newest) > wanted_.generation) {
      hold(fmt::format("`{}` is of generation {}, the assignment of {}: it is out of date",
                       (*newest)->owned.name(), generation_of(**newest), wanted_.generation));
      return;
    }
    if (!wanted_.run) {
      give_up();
      return;
    }
    choose();
    const bool gate_closed = incumbent_ && !wanted_.take_over;
    prepare(gate_closed);
    if (gate_closed)
      keep_incumbent("its successor waits for the gate");
    else if (current_)
      take_over();
    else if (incumbent_)
      keep_incumbent("its successor is not here yet");
    tidy_up();
  }

 private:
  void step(Step::Kind kind, const SeenContainer* container, std::string why,
            std::string name = {}) {
    Step made{kind, wanted_.slot, std::nullopt, std::move(name), std::move(why)};
    if (container) made.container = container->owned;
    out_.steps.push_back(std::move(made));
  }
  void hold(std::string why) { out_.holds.push_back({wanted_.slot, std::move(why)}); }

  void give_up() {
    for (const auto* one : mine_) {
      if (!is_active(*one)) {
        remove(*one, "the slot is given up");
      } else if (wanted_.take_over) {
        step(Step::Kind::stop, one, "the slot is given up");
      } else {
        hold("it is to be given up; the gate is closed");
      }
    }
  }

  /// The container with the wanted spec, and the one that serves in its place until it does.
  void choose() {
    const auto rank = [](const SeenContainer& one) {
      return std::tuple(is_active(one), generation_of(one), one.owned.id());
    };
    for (const auto* one : mine_) {
      const auto& labels = one->owned.labels();
      const bool right = labels && wanted_.is_met_by(*labels);
      const bool usable = one->phase != ContainerPhase::dead &&
                          one->phase != ContainerPhase::removing &&
                          one->phase != ContainerPhase::unknown;
      if (right && usable && (!current_ || rank(*one) > rank(*current_))) current_ = one;
    }
    for (const auto* one : mine_) {
      if (one == current_ || !(is_active(*one) || has_ended(*one))) continue;
      const auto& labels = one->owned.labels();
      if (labels && wanted_.is_met_by(*labels)) continue;
      if (!incumbent_ || rank(*one) > rank(*incumbent_)) incumbent_ = one;
    }
    // One that ended long ago serves nobody once its successor runs.
    if (current_ && is_active(*current_) && incumbent_ && !is_active(*incumbent_)) {
      incumbent_ = nullptr;
    }
  }

  /// The image, and the container without a start: neither costs the incumbent anything.
  void prepare(bool gate_closed) {
    if (current_) return;
    if (seen_.waiting.contains(wanted_.slot)) {
      hold("the last try failed; the next one comes after a while");
      return;
    }
    if (!seen_.images.contains(wanted_.image.text())) {
      if (pulls_.insert(wanted_.image.text()).second)
        step(Step::Kind::pull, nullptr, "the engine does not hold the image");
      else
        hold("its image is pulled for another slot");
      return;
    }
    step(Step::Kind::create, nullptr,
         gate_closed ? "to be ready when the gate opens" : "the slot has none of this spec",
         free_name());
  }

  std::string free_name() const {
    const auto taken = [this](const std::string& name) {
      if (name != wanted_.slot && names_.contains(name)) return true;
      return std::any_of(seen_.containers.begin(), seen_.containers.end(),
                         [&](const SeenContainer& one) { return one.owned.name() == name; });
    };
    if (!taken(wanted_.slot)) return wanted_.slot;
    std::string name = wanted_.slot + "-next";
    for (int i = 2; taken(name); ++i) name = fmt::format("{}-next{}", wanted_.slot, i);
    return name;
  }

  void keep_incumbent(const char* why) {
    if (is_active(*incumbent_) && incumbent_->hold_down) {
      hold(fmt::format("it ends again and again, and {}", why));
    } else if (is_active(*incumbent_)) {
      hold(why);
    } else if (current_ && is_active(*current_)) {
      hold("both specs are here, and the gate is closed");
    } else if (startable(*incumbent_)) {
      step(Step::Kind::start, incumbent_, fmt::format("it ended, and {}", why));
    }
  }

  /// Says why not.
  bool startable(const SeenContainer& one) {
    const bool never_ran = one.phase == ContainerPhase::created;
    using Restart = WantedSlot::Restart;
    const bool complete =
        !never_ran && (wanted_.restart == Restart::never ||
                       (wanted_.restart == Restart::on_failure && one.exit_code == 0));
    if (complete) {
      hold(fmt::format("it ended with exit code {} and is not to be restarted", one.exit_code));
    } else if (!one.may_start) {
      hold("it ended, and is started again after a while");
    }
    return !complete && one.may_start;
  }

  void take_over() {
    if (is_active(*current_)) {
      run_current();
      return;
    }
    // Nothing is stopped for one that could not start now.
    if (!startable(*current_)) return;
    if (wanted_.order == WantedSlot::Order::stop_first && stop_others()) return;
    step(Step::Kind::start, current_,
         current_->phase == ContainerPhase::created ? "it is new" : "it ended");
  }

  /// Whether there was one.
  bool stop_others() {
    bool any = false;
    for (const auto* one : mine_) {
      if (one == current_ || !is_active(*one)) continue;
      step(Step::Kind::stop, one, "its successor takes over");
      any = true;
    }
    return any;
  }

  void run_current() {
    if (current_->hold_down) {
      step(Step::Kind::stop, current_, "it ends again and again");
      return;
    }
    if (current_->phase == ContainerPhase::paused) hold("somebody paused it");
    const bool well = current_->health == Health::healthy;
    const bool overlaps = wanted_.order == WantedSlot::Order::start_first;
    if (!well && overlaps && incumbent_)
      hold("its predecessor runs until it is healthy");
    else if (!well)
      hold(fmt::format("it is {}", to_string(current_->health)));
    if (well || !overlaps) stop_others();
  }

  /// Predecessors stay, stopped, until the successor is well: their logs tell why it came so far.
  void tidy_up() {
    const bool settled = current_ && is_active(*current_) && current_->health == Health::healthy;
    for (const auto* one : mine_) {
      if (one == current_ || one == incumbent_ || is_active(*one)) continue;
      if (settled || !has_ended(*one)) remove(*one, "another took its place");
    }
    if (incumbent_ && incumbent_ != current_ && settled && !is_active(*incumbent_)) {
      remove(*incumbent_, "its successor is well");
    }
    if (!current_ || current_->owned.name() == wanted_.slot || acted_on(*current_)) return;
    const bool free =
        std::none_of(seen_.containers.begin(), seen_.containers.end(),
                     [this](const SeenContainer& one) { return one.owned.name() == wanted_.slot; });
    if (free) step(Step::Kind::rename, current_, "the name is free", wanted_.slot);
  }

  void remove(const SeenContainer& one, std::string why) {
    if (one.phase == ContainerPhase::removing || one.phase == ContainerPhase::unknown) {
      hold(fmt::format("`{}` is {}", one.owned.name(), to_string(one.phase)));
    } else {
      step(Step::Kind::remove, &one, std::move(why));
    }
  }

  [[nodiscard]] bool acted_on(const SeenContainer& one) const {
    return std::any_of(out_.steps.begin(), out_.steps.end(), [&](const Step& made) {
      return made.container && made.container->id() == one.owned.id();
    });
  }

  const WantedSlot& wanted_;
  const SeenHost& seen_;
  const std::set<std::string>& names_;  // Of all slots.
  const std::vector<const SeenContainer*> mine_;
  std::set<std::string>& pulls_;  // Images that are to be pulled, of all slots.
  Steps& out_;
  const SeenContainer* current_ = nullptr;
  const SeenContainer* incumbent_ = nullptr;
};

/// What to do with one that no slot asks for.
void sweep(const Assignment& wanted, const SeenHost& seen, const SeenContainer& one, Steps& out) {
  const std::string slot = one.owned.labels() ? one.owned.labels()->slot : one.owned.name();
  const bool newer = generation_of(one) > wanted.generation;
  const bool busy = one.phase == ContainerPhase::removing || one.phase == ContainerPhase::unknown;
  if (newer || busy || seen.sweep != Sweep::remove || !one.swept || !one.owned.labels()) {
    out.holds.push_back({slot, newer ? "it is newer than the assignment"
                                     : "no slot of the assignment asks for it"});
    return;
  }
  const auto kind = is_active(one) ? Step::Kind::stop : Step::Kind::remove;
  out.steps.push_back({kind, slot, one.owned, {}, "no slot of the assignment asks for it"});
}

}  // namespace

SlotLabels WantedSlot::labels(const std::string& cluster) const {
  return {cluster, service, slot, generation, spec_hash, image.digest.to_string(), image_text};
}

bool WantedSlot::is_met_by(const SlotLabels& labels) const {
  return labels.spec_hash == spec_hash && labels.image_digest == image.digest.to_string();
}

const char* to_string(Step::Kind kind) {
  switch (kind) {
    case Step::Kind::pull: return "pull";
    case Step::Kind::create: return "create";
    case Step::Kind::start: return "start";
    case Step::Kind::stop: return "stop";
    case Step::Kind::remove: return "remove";
    case Step::Kind::rename: break;
  }
  return "rename";
}

Steps steps_of(const Assignment& wanted, const SeenHost& seen) {
  Steps out;
  std::set<std::string> names;
  std::map<std::string, std::vector<const SeenContainer*>> by_slot;
  for (const auto& slot : wanted.slots) {
    names.insert(slot.slot);
    by_slot[slot.slot];
  }
  for (const auto& one : seen.containers) {
    const auto adopts =
        std::find_if(wanted.slots.begin(), wanted.slots.end(), [&](const WantedSlot& slot) {
          return one.owned.labels() ? slot.slot == one.owned.labels()->slot
                                    : slot.adopt == one.owned.id();
        });
    if (adopts != wanted.slots.end())
      by_slot[adopts->slot].push_back(&one);
    else
      sweep(wanted, seen, one, out);
  }
  std::set<std::string> pulls;
  for (const auto& slot : wanted.slots) {
    SlotSteps(slot, seen, names, by_slot[slot.slot], pulls, out).decide();
  }
  return out;
}

}  // namespace shoal

// The pure part of reconciling: single decisions, and a model of a host that is driven through
// random schedules of faults.

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <catch2/catch.hpp>

#include "orchestrator/engine/reconcile_steps.h"
#include "tests/orchestrator/engine/engine_bench.h"

namespace shoal {
namespace {

SeenContainer seen(const WantedSlot& slot, ContainerPhase phase, const std::string& name = {},
                   const std::string& id = {}) {
  Container container;
  container.id = id.empty() ? slot.slot + std::to_string(slot.generation) : id;
  container.name = name.empty() ? slot.slot : name;
  container.labels = labels_of(slot);
  SeenContainer one{*OwnedContainer::of(container, kCluster), phase};
  return one;
}

Assignment assignment(std::vector<WantedSlot> slots, std::uint64_t generation = 10) {
  return {kCluster, generation, std::move(slots)};
}

/// `stop web, create web-next`.
std::string text(const Steps& steps) {
  std::string all;
  for (const auto& step : steps.steps) {
    const auto name = step.container ? step.container->name() : std::string();
    all += fmt::format("{}{}{}{}{}{}", all.empty() ? "" : ", ", to_string(step.kind),
                       name.empty() ? "" : " ", name, step.name.empty() ? "" : " ", step.name);
  }
  return all;
}

TEST_CASE("A new slot is pulled, created and started, and then nothing is left to do", "[engine]") {
  const auto slot = slot_of("web", 1);
  SeenHost host;
  CHECK(text(steps_of(assignment({slot}), host)) == "pull");
  host.images.insert(slot.image.text());
  CHECK(text(steps_of(assignment({slot}), host)) == "create web");
  host.containers = {seen(slot, ContainerPhase::created)};
  CHECK(text(steps_of(assignment({slot}), host)) == "start web");
  host.containers = {seen(slot, ContainerPhase::running)};
  const auto done = steps_of(assignment({slot}), host);
  CHECK(done.steps.empty());
  CHECK(done.holds.empty());
}

TEST_CASE("An image that two slots want is pulled once", "[engine]") {
  const auto steps = steps_of(assignment({slot_of("a", 1), slot_of("b", 1)}), {});
  CHECK(text(steps) == "pull");
  CHECK(steps.holds.size() == 1);
}

TEST_CASE("With a closed gate the successor is made ready and the old one is kept running",
          "[engine]") {
  const auto old = slot_of("web", 1, "1");
  const auto slot = slot_of("web", 2, "2");
  SeenHost host;
  host.containers = {seen(old, ContainerPhase::running)};
  CHECK(text(steps_of(assignment({slot}), host)) == "pull");
  host.images.insert(slot.image.text());
  CHECK(text(steps_of(assignment({slot}), host)) == "create web-next");
  host.containers.push_back(seen(slot, ContainerPhase::created, "web-next"));
  const auto held = steps_of(assignment({slot}), host);
  CHECK(held.steps.empty());
  CHECK(held.holds.size() == 1);
  host.containers[0].phase = ContainerPhase::exited;
  CHECK(text(steps_of(assignment({slot}), host)) == "start web");
}

TEST_CASE("With an open gate the old one stops, the new one starts, and takes the name",
          "[engine]") {
  const auto old = slot_of("web", 1, "1");
  auto slot = slot_of("web", 2, "2");
  slot.take_over = true;
  SeenHost host;
  host.images.insert(slot.image.text());
  host.containers = {seen(old, ContainerPhase::running),
                     seen(slot, ContainerPhase::created, "web-next")};
  CHECK(text(steps_of(assignment({slot}), host)) == "stop web");
  host.containers[0].phase = ContainerPhase::exited;
  CHECK(text(steps_of(assignment({slot}), host)) == "start web-next");
  host.containers[1].phase = ContainerPhase::running;
  CHECK(text(steps_of(assignment({slot}), host)) == "remove web");
  host.containers.erase(host.containers.begin());
  CHECK(text(steps_of(assignment({slot}), host)) == "rename web-next web");
}

TEST_CASE("An open gate stops nothing before the successor is created", "[engine]") {
  const auto old = slot_of("web", 1, "1");
  auto slot = slot_of("web", 2, "2");
  slot.take_over = true;
  SeenHost host;
  host.containers = {seen(old, ContainerPhase::running)};
  CHECK(text(steps_of(assignment({slot}), host)) == "pull");
  host.waiting.insert("web");
  CHECK(text(steps_of(assignment({slot}), host)) == "");
  host.containers[0].phase = ContainerPhase::exited;
  CHECK(text(steps_of(assignment({slot}), host)) == "start web");
}

TEST_CASE("Start-first keeps the old one until the new one is healthy", "[engine]") {
  const auto old = slot_of("web", 1, "1");
  auto slot = slot_of("web", 2, "2");
  slot.take_over = true;
  slot.order = WantedSlot::Order::start_first;
  SeenHost host;
  host.containers = {seen(old, ContainerPhase::running),
                     seen(slot, ContainerPhase::created, "web-next")};
  CHECK(text(steps_of(assignment({slot}), host)) == "start web-next");
  host.containers[1].phase = ContainerPhase::running;
  host.containers[1].health = Health::starting;
  CHECK(text(steps_of(assignment({slot}), host)) == "");
  host.containers[1].health = Health::unhealthy;
  CHECK(text(steps_of(assignment({slot}), host)) == "");
  host.containers[1].health = Health::healthy;
  CHECK(text(steps_of(assignment({slot}), host)) == "stop web");
}

TEST_CASE("A new generation of the same spec and image keeps the container", "[engine]") {
  const auto slot = slot_of("web", 5);
  SeenHost host;
  host.containers = {seen(slot_of("web", 1), ContainerPhase::running)};
  CHECK(text(steps_of(assignment({slot}), host)) == "");
  auto retagged = slot;
  retagged.image = image_reference("other");
  CHECK(text(steps_of(assignment({retagged}), host)) == "pull");
}

TEST_CASE("A container that is newer than the assignment is left alone, and so is its slot",
          "[engine]") {
  auto slot = slot_of("web", 2, "2");
  slot.take_over = true;
  SeenHost host;
  host.containers = {seen(slot_of("web", 3, "3"), ContainerPhase::running)};
  auto steps = steps_of(assignment({slot}), host);
  CHECK(steps.steps.empty());
  CHECK(steps.holds.size() == 1);
  slot.run = false;
  CHECK(steps_of(assignment({slot}), host).steps.empty());
  host.sweep = Sweep::remove;
  host.containers[0].swept = true;
  CHECK(steps_of(assignment({}, 2), host).steps.empty());
  CHECK(text(steps_of(assignment({}, 3), host)) == "stop web");
}

TEST_CASE("A slot that is given up is stopped and removed once the gate is open", "[engine]") {
  auto slot = slot_of("web", 2);
  slot.run = false;
  SeenHost host;
  host.containers = {seen(slot_of("web", 1), ContainerPhase::running)};
  CHECK(text(steps_of(assignment({slot}), host)) == "");
  slot.take_over = true;
  CHECK(text(steps_of(assignment({slot}), host)) == "stop web");
  host.containers[0].phase = ContainerPhase::exited;
  CHECK(text(steps_of(assignment({slot}), host)) == "remove web");
  host.containers.clear();
  CHECK(text(steps_of(assignment({slot}), host)) == "");
}

TEST_CASE("What no slot asks for is only reported, until a grace is over and that is wanted",
          "[engine]") {
  SeenHost host;
  host.containers = {seen(slot_of("gone", 1), ContainerPhase::running)};
  host.containers[0].swept = true;
  CHECK(steps_of(assignment({}), host).steps.empty());
  CHECK(steps_of(assignment({}), host).holds.size() == 1);
  host.sweep = Sweep::remove;
  CHECK(text(steps_of(assignment({}), host)) == "stop gone");
  host.containers[0].swept = false;
  CHECK(text(steps_of(assignment({}), host)) == "");
}

TEST_CASE("A container that ended is started after its wait, by its policy and its exit code",
          "[engine]") {
  auto slot = slot_of("job", 1);
  SeenHost host;
  host.containers = {seen(slot, ContainerPhase::exited)};
  CHECK(text(steps_of(assignment({slot}), host)) == "start job");
  host.containers[0].may_start = false;
  CHECK(text(steps_of(assignment({slot}), host)) == "");
  host.containers[0].may_start = true;
  slot.restart = WantedSlot::Restart::on_failure;
  CHECK(text(steps_of(assignment({slot}), host)) == "");
  host.containers[0].exit_code = 1;
  CHECK(text(steps_of(assignment({slot}), host)) == "start job");
  slot.restart = WantedSlot::Restart::never;
  CHECK(text(steps_of(assignment({slot}), host)) == "");
  host.containers[0].phase = ContainerPhase::created;
  CHECK(text(steps_of(assignment({slot}), host)) == "start job");
}

TEST_CASE("A container that flaps is kept down, but never one whose successor waits", "[engine]") {
  auto slot = slot_of("web", 1);
  SeenHost host;
  host.containers = {seen(slot, ContainerPhase::restarting)};
  host.containers[0].may_start = false;
  host.containers[0].hold_down = true;
  CHECK(text(steps_of(assignment({slot}), host)) == "stop web");
  CHECK(text(steps_of(assignment({slot_of("web", 2, "2")}), host)) == "pull");
}

TEST_CASE("An adopted container is the slot's oldest, and follows the gate", "[engine]") {
  Container foreign;
  foreign.id = std::string(64, 'f');
  foreign.name = "web";
  auto slot = slot_of("web", 1);
  SeenHost host;
  host.images.insert(slot.image.text());
  host.sweep = Sweep::remove;
  host.containers = {
      {*OwnedContainer::adopt(foreign, foreign.id, kCluster), ContainerPhase::running}};
  host.containers[0].swept = true;
  // Nobody ordered it in this assignment.
  CHECK(text(steps_of(assignment({}), host)) == "");
  slot.adopt = foreign.id;
  CHECK(text(steps_of(assignment({slot}), host)) == "create web-next");
  host.containers.push_back(seen(slot, ContainerPhase::created, "web-next"));
  CHECK(text(steps_of(assignment({slot}), host)) == "");
  slot.take_over = true;
  CHECK(text(steps_of(assignment({slot}), host)) == "stop web");
}

TEST_CASE("A container that cannot be used any more is replaced", "[engine]") {
  const auto slot = slot_of("web", 1);
  SeenHost host;
  host.images.insert(slot.image.text());
  host.containers = {seen(slot, ContainerPhase::dead)};
  CHECK(text(steps_of(assignment({slot}), host)) == "create web-next, remove web");
  host.containers[0].phase = ContainerPhase::removing;
  CHECK(text(steps_of(assignment({slot}), host)) == "create web-next");
}

/// A host of a few slots: what steps do to it, what goes wrong, and what must never be.
class Model {
 public:
  explicit Model(unsigned seed) : chance_(seed) {}

  /// Whether `one_in` throws of a die came up.
  bool happens(unsigned one_in) { return chance_() % one_in == 0; }

  void place_anew(const std::string& slot) {
    auto wanted = slot_of(slot, ++generation_, std::to_string(chance_() % 4));
    wanted.run = !happens(5);
    wanted.order = happens(3) ? WantedSlot::Order::start_first : WantedSlot::Order::stop_first;
    wanted_.insert_or_assign(slot, std::move(wanted));
  }

  Assignment assignment() const {
    Assignment made{kCluster, generation_, {}};
    for (const auto& [name, slot] : wanted_) made.slots.push_back(slot);
    return made;
  }

  void disturb() {
    auto slot = wanted_.begin();
    std::advance(slot, chance_() % wanted_.size());
    switch (chance_() % 6) {
      case 0: place_anew(slot->first); break;
      case 1:
      case 2: slot->second.take_over = true; break;
      case 3: slot->second.take_over = false; break;
      case 4:
        for (auto& one : host_.containers) {
          if (happens(3) && one.phase == ContainerPhase::running) {
            one.phase = happens(4) ? ContainerPhase::dead : ContainerPhase::exited;
          }
        }
        break;
      default:
        if (!host_.images.empty() && happens(2)) host_.images.erase(host_.images.begin());
        for (auto& one : host_.containers) {
          one.health = happens(3) ? Health::unhealthy : Health::healthy;
          one.may_start = !happens(4);
        }
        break;
    }
  }

  void recover() {
    for (auto& [name, slot] : wanted_) slot.take_over = true;
    for (auto& one : host_.containers) {
      one.health = Health::healthy;
      one.may_start = true;
    }
  }

  /// Takes the steps, some of which fail, or are done twice because their answer was lost.
  void take(const Steps& steps, bool faults) {
    std::set<std::string> touched;
    for (const auto& step : steps.steps) {
      check(step);
      // One step per container at a time.
      if (step.container) REQUIRE(touched.insert(step.container->id()).second);
      if (faults && happens(4)) continue;
      act(step);
      if (faults && happens(6)) act(step);
      check_copies();
    }
  }

  Steps steps() const { return steps_of(assignment(), host_); }

  void check_converged() const {
    for (const auto& [name, slot] : wanted_) {
      std::vector<const SeenContainer*> mine;
      for (const auto& one : host_.containers) {
        if (one.owned.labels()->slot == name) mine.push_back(&one);
      }
      CAPTURE(name);
      REQUIRE(mine.size() == (slot.run ? 1 : 0));
      if (!slot.run) continue;
      CHECK(mine[0]->phase == ContainerPhase::running);
      CHECK(mine[0]->owned.name() == name);
      CHECK(slot.is_met_by(*mine[0]->owned.labels()));
    }
  }

 private:
  [[nodiscard]] std::vector<SeenContainer>::iterator find(const Step& step) {
    return std::find_if(
        host_.containers.begin(), host_.containers.end(),
        [&](const SeenContainer& one) { return one.owned.id() == step.container->id(); });
  }

  void check(const Step& step) {
    const auto& slot = wanted_.at(step.slot);
    if (!step.container) return;
    const auto& one = *find(step);
    const bool right = slot.is_met_by(*one.owned.labels());
    if (step.kind == Step::Kind::remove) CHECK(one.phase != ContainerPhase::running);
    if (step.kind != Step::Kind::stop) return;
    const bool several = std::count_if(host_.containers.begin(), host_.containers.end(),
                                       [&](const SeenContainer& other) {
                                         return other.owned.labels()->slot == step.slot &&
                                                other.phase == ContainerPhase::running;
                                       }) > 1;
    // The gate.
    CHECK((slot.take_over || (right && several)));
    if (!slot.run) return;
    // Its successor is here.
    CHECK(std::any_of(host_.containers.begin(), host_.containers.end(), [&](const auto& other) {
      return other.owned.id() != one.owned.id() && slot.is_met_by(*other.owned.labels());
    }));
  }

  /// Two live ones of a slot only where start-first made them.
  void check_copies() const {
    for (const auto& [name, slot] : wanted_) {
      const auto live = std::count_if(
          host_.containers.begin(), host_.containers.end(), [&](const SeenContainer& one) {
            return one.owned.labels()->slot == name && one.phase == ContainerPhase::running;
          });
      CHECK(live <= (overlapped_.contains(name) ? 3 : 1));
    }
  }

  void act(const Step& step) {
    const auto& slot = wanted_.at(step.slot);
    if (step.kind == Step::Kind::pull) {
      host_.images.insert(slot.image.text());
      return;
    }
    if (step.kind == Step::Kind::create) {
      const bool taken =
          std::any_of(host_.containers.begin(), host_.containers.end(),
                      [&](const SeenContainer& one) { return one.owned.name() == step.name; });
      if (taken) return;  // The engine's 409; with the same labels it is the same container.
      host_.containers.push_back(
          seen(slot, ContainerPhase::created, step.name, fmt::format("id{}", ++made_)));
      return;
    }
    const auto one = find(step);
    if (one == host_.containers.end()) return;
    switch (step.kind) {
      case Step::Kind::start:
        if (slot.order == WantedSlot::Order::start_first) overlapped_.insert(step.slot);
        one->phase = ContainerPhase::running;
        break;
      case Step::Kind::stop: one->phase = ContainerPhase::exited; break;
      case Step::Kind::remove: host_.containers.erase(one); break;
      default: {
        auto renamed = seen(slot_with(*one), one->phase, step.name, one->owned.id());
        renamed.health = one->health;
        *one = renamed;
        break;
      }
    }
  }

  static WantedSlot slot_with(const SeenContainer& one) {
    const auto& labels = *one.owned.labels();
    return slot_of(labels.slot, labels.generation, labels.spec_hash.substr(7));
  }

  std::mt19937 chance_;
  std::uint64_t generation_ = 0;
  unsigned made_ = 0;
  std::map<std::string, WantedSlot> wanted_;
  SeenHost host_;
  std::set<std::string> overlapped_;  // Slots that were started beside another at some time.
};

TEST_CASE("No schedule of faults stops before the gate or runs two copies, and all converge",
          "[engine]") {
  for (unsigned seed = 0; seed < 3000; ++seed) {
    CAPTURE(seed);
    Model model(seed);
    model.place_anew("web");
    model.place_anew("db");
    for (int i = 0; i < 60; ++i) {
      if (model.happens(3)) model.disturb();
      model.take(model.steps(), true);
    }
    model.recover();
    int rounds = 0;
    for (auto steps = model.steps(); !steps.steps.empty(); steps = model.steps()) {
      REQUIRE(++rounds < 20);
      model.take(steps, false);
      model.recover();
    }
    model.check_converged();
    CHECK(model.steps().holds.empty());
  }
}

}  // namespace
}  // namespace shoal

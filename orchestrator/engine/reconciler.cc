#include "orchestrator/engine/reconciler.h"

#include <algorithm>
#include <exception>
#include <utility>

#include <fmt/format.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace shoal {

/// A pull that is under way, for a slot that wanted it first.
struct Reconciler::Pull {
  Step step;
  ImageReference image;
  Interrupt interrupt;
};

Reconciler::Reconciler(Engine& engine, ReconcilerConfig config, PullSink pulls, Now now)
    : engine_(engine),
      config_(config),
      pull_sink_(std::move(pulls)),
      now_(now ? std::move(now) : Now([] { return std::chrono::steady_clock::now(); })),
      change_(engine.executor(), SteadyTime::max()) {}

Reconciler::~Reconciler() = default;

bool Reconciler::Report::settled() const {
  const bool failed =
      std::any_of(done.begin(), done.end(), [](const Done& one) { return one.error.has_value(); });
  return !failed && holds.empty() && under_way == 0;
}

void Reconciler::remember(const Container& container, Memory& memory, SeenContainer& seen) {
  const auto now = now_();
  // What happened before the first look, before a restart of ours perhaps, delays nothing.
  const bool again = memory.known && container.restarts > memory.restarts;
  const bool ended = memory.known && container.finished != memory.finished && !container.active() &&
                     container.phase != ContainerPhase::created;
  // Several ends between two looks count as one: a container that ends faster than we look flaps
  // soon enough.
  if (again || (ended && !memory.stopped_by_us)) memory.backoff.ended(now);
  if (container.active()) memory.stopped_by_us = false;
  memory.known = true;
  memory.restarts = container.restarts;
  memory.finished = container.finished;

  const auto health = health_.find(container.id);
  if (health != health_.end()) seen.health = health->second;
  if (container.phase == ContainerPhase::running && seen.health == Health::healthy)
    memory.backoff.well(now);
  else
    memory.backoff.unwell();
  seen.exit_code = container.exit_code;
  seen.may_start = memory.backoff.may_start(now);
  seen.hold_down = memory.backoff.flaps(now) && !seen.may_start;
}

asio::awaitable<Result<SeenHost>> Reconciler::look(const Assignment& wanted) {
  SeenHost seen;
  seen.sweep = config_.sweep;
  const auto label = fmt::format("{}={}", kOwnerLabel, wanted.cluster);
  const auto listed = co_await engine_.list(label);
  if (!listed) co_return tl::unexpected(listed.error());
  std::set<std::string> slots;
  std::vector<std::string> ids;
  for (const auto& slot : wanted.slots) {
    slots.insert(slot.slot);
    if (!slot.adopt.empty()) ids.push_back(slot.adopt);
  }
  for (const auto& one : *listed) ids.push_back(one.id);
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  for (const auto& id : ids) {
    const auto found = co_await engine_.find(id);
    if (!found) co_return tl::unexpected(found.error());
    if (!*found) continue;  // Gone meanwhile.
    const Container& container = **found;
    auto owned = OwnedContainer::of(container, wanted.cluster);
    if (!owned) {
      // An order to adopt, or labels that nobody but a stranger would write.
      auto adopted = OwnedContainer::adopt(container, id, wanted.cluster);
      const bool ordered = std::any_of(wanted.slots.begin(), wanted.slots.end(),
                                       [&](const auto& slot) { return slot.adopt == id; });
      if (!adopted || !ordered) continue;
      owned = *std::move(adopted);
    }
    auto& kept = memory_[id];
    SeenContainer one{*std::move(owned), container.phase};
    const auto& labels = one.owned.labels();
    const auto slot = std::find_if(wanted.slots.begin(), wanted.slots.end(),
                                   [&](const auto& s) { return labels && s.slot == labels->slot; });
    const bool asked = !labels || slot != wanted.slots.end();
    if (labels && asked && slot->health) one.health = Health::starting;
    remember(container, kept, one);
    if (asked) kept.unasked.reset();
    if (!asked && !kept.unasked) kept.unasked = now_();
    one.swept = kept.unasked && now_() - *kept.unasked >= config_.sweep_grace;
    seen.containers.push_back(std::move(one));
  }
  const auto gone = [&](const auto& one) {
    return !std::binary_search(ids.begin(), ids.end(), one.first);
  };
  std::erase_if(memory_, gone);
  std::erase_if(health_, gone);
  std::erase_if(retries_, [&](const auto& one) {
    return !slots.contains(one.first) && one.second.may_start(now_());
  });
  for (const auto& [slot, backoff] : retries_) {
    if (!backoff.may_start(now_())) seen.waiting.insert(slot);
  }
  const auto images = co_await look_at_images(wanted, seen);
  if (!images) co_return tl::unexpected(images.error());
  co_return seen;
}

asio::awaitable<Result<void>> Reconciler::look_at_images(const Assignment& wanted, SeenHost& seen) {
  for (const auto& slot : wanted.slots) {
    const auto reference = slot.image.text();
    // Who has its container has its image.
    const bool made =
        std::any_of(seen.containers.begin(), seen.containers.end(), [&](const SeenContainer& one) {
          const auto& labels = one.owned.labels();
          return labels && labels->slot == slot.slot && slot.is_met_by(*labels);
        });
    if (!slot.run || made || seen.images.contains(reference)) continue;
    const auto image = co_await engine_.find_image(slot.image);
    if (!image) co_return tl::unexpected(image.error());
    if (*image) seen.images.insert(reference);
  }
  co_return Result<void>();
}

std::optional<SteadyTime> Reconciler::next_end_of_wait(const SeenHost& seen) const {
  std::optional<SteadyTime> next;
  const auto waits = [&next](SteadyTime until) { next = std::min(next.value_or(until), until); };
  for (const auto& one : seen.containers) {
    const auto memory = memory_.find(one.owned.id());
    if (memory == memory_.end()) continue;
    if (!one.may_start) waits(memory->second.backoff.next_start());
    const bool swept = one.swept || config_.sweep != Sweep::remove;
    if (memory->second.unasked && !swept) waits(*memory->second.unasked + config_.sweep_grace);
  }
  for (const auto& slot : seen.waiting) {
    const auto retry = retries_.find(slot);
    if (retry != retries_.end()) waits(retry->second.next_start());
  }
  return next;
}

asio::awaitable<Result<void>> Reconciler::take(const Assignment& wanted, const Step& step) {
  const auto slot = std::find_if(wanted.slots.begin(), wanted.slots.end(),
                                 [&](const WantedSlot& one) { return one.slot == step.slot; });
  switch (step.kind) {
    case Step::Kind::pull: break;  // See run_pull().
    case Step::Kind::create: {
      auto labels = slot->labels(wanted.cluster);
      const auto created = co_await engine_.create(step.name, slot->document, std::move(labels));
      if (!created) co_return tl::unexpected(created.error());
      co_return Result<void>();
    }
    case Step::Kind::start: co_return co_await engine_.start(*step.container);
    case Step::Kind::stop: {
      const bool known = slot != wanted.slots.end();
      const auto grace = known ? slot->stop_grace : WantedSlot::kStopGrace;
      memory_[step.container->id()].stopped_by_us = true;
      co_return co_await engine_.stop(*step.container, grace);
    }
    case Step::Kind::remove: co_return co_await engine_.remove(*step.container);
    case Step::Kind::rename: co_return co_await engine_.rename(*step.container, step.name);
  }
  co_return Result<void>();
}

void Reconciler::end(const Step& step, const Result<void>& outcome) {
  if (outcome)
    retries_.erase(step.slot);
  else
    retries_[step.slot].ended(now_());
  if (step.kind == Step::Kind::start && !outcome) {
    memory_[step.container->id()].backoff.ended(now_());
  }
  Done done{step, std::nullopt};
  if (!outcome) done.error = outcome.error();
  done_.push_back(std::move(done));
}

asio::awaitable<void> Reconciler::run_step(std::shared_ptr<const Assignment> wanted, Step step) {
  const auto outcome = co_await take(*wanted, step);
  busy_.erase(busy_.find(step.slot));
  moved_.insert(step.slot);
  end(step, outcome);
}

asio::awaitable<void> Reconciler::run_pull(std::shared_ptr<Pull> pull) {
  const Engine::PullSink sink = [&](const PullState& state) {
    if (pull_sink_) pull_sink_(pull->image, state);
  };
  Engine::PullOrder order{pull->image};
  const auto outcome = co_await engine_.pull(std::move(order), sink, &pull->interrupt);
  pulls_.erase(pull->image.text());
  // One that nobody wants any more has not failed.
  if (outcome || !pull->interrupt.raised()) end(pull->step, outcome);
}

void Reconciler::start(asio::awaitable<void> work) {
  ++under_way_;
  asio::co_spawn(engine_.executor(), std::move(work), [this](const std::exception_ptr& error) {
    --under_way_;
    poke();
    if (error) std::rethrow_exception(error);
  });
}

void Reconciler::begin(const std::shared_ptr<const Assignment>& wanted,
                       const std::vector<Step>& steps) {
  // Steps of one slot come from one decision, and go together.
  const std::set<std::string> busy(busy_.begin(), busy_.end());
  for (const auto& step : steps) {
    const auto retry = retries_.find(step.slot);
    if (retry != retries_.end() && !retry->second.may_start(now_())) continue;
    if (step.kind == Step::Kind::pull) {
      const auto slot = std::find_if(wanted->slots.begin(), wanted->slots.end(),
                                     [&](const WantedSlot& one) { return one.slot == step.slot; });
      auto& pull = pulls_[slot->image.text()];
      if (pull) continue;
      if (pulls_.size() > config_.pulls_max) {
        pulls_.erase(slot->image.text());
        continue;
      }
      pull = std::shared_ptr<Pull>(new Pull{step, slot->image, {}});
      start(run_pull(pull));
      continue;
    }
    const bool stale = busy.contains(step.slot) || moved_.contains(step.slot);
    if (stale || busy_.size() >= config_.steps_max) continue;
    busy_.insert(step.slot);
    start(run_step(wanted, step));
  }
}

void Reconciler::cancel_pulls(const Assignment& wanted) {
  for (const auto& [reference, pull] : pulls_) {
    const bool asked = std::any_of(
        wanted.slots.begin(), wanted.slots.end(),
        [&](const WantedSlot& slot) { return slot.run && slot.image.text() == reference; });
    if (!asked) pull->interrupt.raise();
  }
}

asio::awaitable<Result<Reconciler::Report>> Reconciler::round(
    std::shared_ptr<const Assignment> wanted) {
  changed_ = false;
  moved_.clear();
  cancel_pulls(*wanted);
  auto seen = co_await look(*wanted);
  if (!seen) co_return tl::unexpected(seen.error());
  auto steps = steps_of(*wanted, *seen);
  begin(wanted, steps.steps);
  Report report;
  report.done = std::exchange(done_, {});
  report.under_way = under_way_;
  report.holds = std::move(steps.holds);
  report.next = next_end_of_wait(*seen);
  report.seen = *std::move(seen);
  co_return report;
}

void Reconciler::poke() {
  changed_ = true;
  change_.cancel();
}

asio::awaitable<void> Reconciler::wait(SteadyTime until) {
  if (changed_) co_return;
  boost::system::error_code cancelled;
  change_.expires_at(until);
  co_await change_.async_wait(asio::redirect_error(asio::use_awaitable, cancelled));
}

asio::awaitable<void> Reconciler::drain() {
  for (const auto& [reference, pull] : pulls_) pull->interrupt.raise();
  while (under_way_ > 0) {
    changed_ = false;
    co_await wait(SteadyTime::max());
  }
}

asio::awaitable<Result<Reconciler::Report>> Reconciler::settle(Assignment wanted,
                                                               Interrupt* interrupt) {
  const auto shared = std::make_shared<const Assignment>(std::move(wanted));
  const Interrupt::Guard guard(interrupt, [this] { poke(); });
  Report all;
  for (;;) {
    auto report = co_await round(shared);
    const bool over = !report || (interrupt && interrupt->raised());
    if (over) co_await drain();
    if (!report) co_return tl::unexpected(report.error());
    auto done = std::move(all.done);
    for (auto& one : report->done) done.push_back(std::move(one));
    all = *std::move(report);
    all.done = std::move(done);
    if (over || (all.under_way == 0 && !changed_)) co_return all;
    co_await wait(SteadyTime::max());
  }
}

}  // namespace shoal

#include "orchestrator/engine/reconciler.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace shoal {
namespace {

constexpr int kLooksMax = 64;  // The longest way of a slot has six steps.

}  // namespace

/// Steps that are taken side by side: no two of them are about one container, so their order does
/// not matter.
struct Reconciler::Batch {
  const Assignment& wanted;
  const PullProgressSink& progress;
  Interrupt* interrupt;
  std::vector<Step> waiting;
  std::vector<Done>& done;
  unsigned pulls = 0;       // Under way.
  std::size_t workers = 0;  // That have not ended.
  asio::steady_timer ended;

  /// The next step that may begin now.
  std::optional<Step> next(unsigned pulls_max) {
    if (interrupt && interrupt->raised()) return std::nullopt;
    const auto one = std::find_if(waiting.begin(), waiting.end(), [&](const Step& step) {
      return step.kind != Step::Kind::pull || pulls < pulls_max;
    });
    if (one == waiting.end()) return std::nullopt;
    Step step = std::move(*one);
    waiting.erase(one);
    return step;
  }
};

Reconciler::Reconciler(Engine& engine, ReconcilerConfig config, Now now)
    : engine_(engine),
      config_(config),
      now_(now ? std::move(now) : Now([] { return std::chrono::steady_clock::now(); })) {}

bool Reconciler::Report::settled() const {
  const bool failed =
      std::any_of(done.begin(), done.end(), [](const Done& one) { return one.error.has_value(); });
  return !failed && holds.empty();
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
  std::map<std::string, Memory> memory;
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
    auto& kept = memory[id] = memory_[id];
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
  memory_ = std::move(memory);
  std::erase_if(health_, [this](const auto& one) { return !memory_.contains(one.first); });
  std::erase_if(retries_, [&](const auto& one) { return !slots.contains(one.first); });
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

asio::awaitable<Result<void>> Reconciler::take(Batch& batch, const Step& step) {
  const auto slot = std::find_if(batch.wanted.slots.begin(), batch.wanted.slots.end(),
                                 [&](const WantedSlot& one) { return one.slot == step.slot; });
  const bool known = slot != batch.wanted.slots.end();
  switch (step.kind) {
    case Step::Kind::pull: {
      const auto sink = [&](const PullState& state) {
        if (batch.progress) batch.progress(step.slot, state);
      };
      Engine::PullOrder order{slot->image};
      co_return co_await engine_.pull(std::move(order), sink, batch.interrupt);
    }
    case Step::Kind::create: {
      auto labels = slot->labels(batch.wanted.cluster);
      const auto created = co_await engine_.create(step.name, slot->document, std::move(labels));
      if (!created) co_return tl::unexpected(created.error());
      co_return Result<void>();
    }
    case Step::Kind::start: co_return co_await engine_.start(*step.container);
    case Step::Kind::stop: {
      const auto grace = known ? slot->stop_grace : WantedSlot::kStopGrace;
      memory_[step.container->id()].stopped_by_us = true;
      co_return co_await engine_.stop(*step.container, grace);
    }
    case Step::Kind::remove: co_return co_await engine_.remove(*step.container);
    case Step::Kind::rename: break;
  }
  co_return co_await engine_.rename(*step.container, step.name);
}

void Reconciler::note(const Step& step, const Result<void>& outcome) {
  if (step.kind == Step::Kind::pull || step.kind == Step::Kind::create) {
    if (outcome)
      retries_.erase(step.slot);
    else
      retries_[step.slot].ended(now_());
  }
  if (step.kind == Step::Kind::start && !outcome) {
    memory_[step.container->id()].backoff.ended(now_());
  }
}

asio::awaitable<void> Reconciler::work(Batch& batch) {
  for (auto step = batch.next(config_.pulls_max); step; step = batch.next(config_.pulls_max)) {
    const bool pull = step->kind == Step::Kind::pull;
    batch.pulls += pull ? 1 : 0;
    const auto outcome = co_await take(batch, *step);
    batch.pulls -= pull ? 1 : 0;
    note(*step, outcome);
    Done done{*std::move(step), std::nullopt};
    if (!outcome) done.error = outcome.error();
    batch.done.push_back(std::move(done));
  }
}

asio::awaitable<void> Reconciler::run(Batch& batch) {
  // Workers that find only pulls over their limit end; those that pull take the rest later.
  batch.workers = std::min<std::size_t>(config_.steps_max, batch.waiting.size());
  for (std::size_t i = batch.workers; i > 0; --i) {
    asio::co_spawn(engine_.executor(), work(batch), [&batch](const std::exception_ptr& error) {
      if (--batch.workers == 0) batch.ended.cancel();
      if (error) std::rethrow_exception(error);
    });
  }
  while (batch.workers > 0) {
    boost::system::error_code cancelled;
    co_await batch.ended.async_wait(asio::redirect_error(asio::use_awaitable, cancelled));
  }
}

asio::awaitable<Result<Reconciler::Report>> Reconciler::settle(Assignment wanted,
                                                               PullProgressSink progress,
                                                               Interrupt* interrupt) {
  Report report;
  std::set<std::string> failed;  // Slots.
  for (int looks = 0; looks < kLooksMax; ++looks) {
    auto seen = co_await look(wanted);
    if (!seen) co_return tl::unexpected(seen.error());
    auto steps = steps_of(wanted, *seen);
    report.holds = std::move(steps.holds);
    report.seen = *std::move(seen);
    std::erase_if(steps.steps, [&](const Step& step) { return failed.contains(step.slot); });
    if (steps.steps.empty() || (interrupt && interrupt->raised())) co_return report;
    const auto before = report.done.size();
    Batch batch{wanted,      progress,
                interrupt,   std::move(steps.steps),
                report.done, 0,
                0,           asio::steady_timer(engine_.executor(), SteadyTime::max())};
    co_await run(batch);
    for (std::size_t i = before; i < report.done.size(); ++i) {
      if (report.done[i].error) failed.insert(report.done[i].step.slot);
    }
  }
  co_return report;
}

}  // namespace shoal

#include "orchestrator/engine/host_runner.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "orchestrator/engine/engine_events.h"
#include "orchestrator/engine/health_probe.h"

namespace shoal {
namespace {

/// Whether two rounds say the same.
std::string summary(const Result<Reconciler::Report>& report) {
  if (!report) return report.error().message;
  std::string text;
  for (const auto& hold : report->holds) text += fmt::format("{}: {}\n", hold.slot, hold.why);
  return text;
}

}  // namespace

/// One container's health check, as long as it runs.
struct HostRunner::Watch {
  OwnedContainer container;
  CccfHealthCheck check;
  std::vector<CccfPort> ports;
  Interrupt ended;
};

HostRunner::HostRunner(Engine& engine, HostRunnerConfig config, Sink report,
                       Reconciler::PullSink pulls)
    : engine_(engine),
      config_(config),
      report_(std::move(report)),
      reconciler_(engine, config.reconciler, std::move(pulls)),
      idle_(engine.executor(), SteadyTime::max()) {}

HostRunner::~HostRunner() = default;

void HostRunner::order(Assignment orders) {
  orders_ = std::make_shared<const Assignment>(std::move(orders));
  poke();
}

void HostRunner::poke() { reconciler_.poke(); }

void HostRunner::start(asio::awaitable<void> work) {
  ++running_;
  asio::co_spawn(engine_.executor(), std::move(work), [this](const std::exception_ptr& error) {
    if (--running_ == 0) idle_.cancel();
    if (error) std::rethrow_exception(error);
  });
}

asio::awaitable<void> HostRunner::run(Interrupt& interrupt) {
  const Interrupt::Guard guard(&interrupt, [this] {
    poke();
    for (const auto& [id, watch] : watches_) watch->ended.raise();
  });
  const EventSink sink = [this](const std::optional<EngineEvent>&) { poke(); };
  start(watch_events(engine_, sink, interrupt));
  start(reconcile(interrupt));
  while (running_ > 0) {
    boost::system::error_code cancelled;
    co_await idle_.async_wait(asio::redirect_error(asio::use_awaitable, cancelled));
  }
}

asio::awaitable<void> HostRunner::reconcile(Interrupt& interrupt) {
  std::string last;
  while (!interrupt.raised()) {
    const auto resync = std::chrono::steady_clock::now() + config_.resync;
    auto next = resync;
    if (orders_) {
      const auto report = co_await reconciler_.round(orders_);
      if (report) next = std::min(resync, report->next.value_or(resync));
      if (report) watch_health(report->seen, interrupt);
      auto now = summary(report);
      const bool news = !report || !report->done.empty() || now != last;
      last = std::move(now);
      if (news && report_) report_(report);
    }
    co_await reconciler_.wait(next);
    const bool goes_on = co_await interrupt.sleep(engine_.executor(), config_.gather);
    if (!goes_on) break;
  }
  co_await reconciler_.drain();
}

void HostRunner::watch_health(const SeenHost& seen, Interrupt& interrupt) {
  std::map<std::string, std::shared_ptr<Watch>> kept;
  for (const auto& one : seen.containers) {
    if (!one.owned.labels() || one.phase != ContainerPhase::running || interrupt.raised()) continue;
    const auto slot = std::find_if(
        orders_->slots.begin(), orders_->slots.end(),
        [&](const WantedSlot& wanted) { return wanted.slot == one.owned.labels()->slot; });
    // Another spec's container may have had another check.
    const bool checked = slot != orders_->slots.end() && slot->health.has_value();
    if (!checked || !slot->is_met_by(*one.owned.labels())) continue;
    auto& watch = kept[one.owned.id()];
    const auto running = watches_.find(one.owned.id());
    if (running != watches_.end()) {
      watch = running->second;
      continue;
    }
    watch = std::shared_ptr<Watch>(new Watch{one.owned, *slot->health, slot->ports, {}});
    start(check(watch));
  }
  for (const auto& [id, watch] : watches_) {
    if (!kept.contains(id)) watch->ended.raise();
  }
  watches_ = std::move(kept);
}

asio::awaitable<void> HostRunner::check(std::shared_ptr<Watch> watch) {
  HealthTracker tracker(watch->check, std::chrono::steady_clock::now());
  const auto& id = watch->container.id();
  while (!watch->ended.raised()) {
    const auto pause = tracker.next() - std::chrono::steady_clock::now();
    const bool goes_on = co_await watch->ended.sleep(engine_.executor(), pause);
    if (!goes_on) co_return;
    const auto container = co_await engine_.find(id);
    if (container && !*container) co_return;
    if (!container) {
      // Without the engine nobody knows; what was known stays.
      const bool later = co_await watch->ended.sleep(engine_.executor(), config_.resync);
      if (!later) co_return;
      continue;
    }
    const auto address = health_address(**container, watch->ports, watch->check.port);
    const auto probed =
        co_await probe_health(engine_, watch->container, watch->check, address, &watch->ended);
    if (watch->ended.raised()) co_return;
    const Health before = tracker.health();
    const auto now = std::chrono::steady_clock::now();
    if (probed)
      tracker.passed(now);
    else
      tracker.failed(now, probed.error().message);
    if (tracker.health() == before) continue;
    reconciler_.set_health(id, tracker.health());
    poke();
  }
}

}  // namespace shoal

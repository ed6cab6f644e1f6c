#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

#include "orchestrator/engine/health_tracker.h"
#include "orchestrator/engine/reconciler.h"

namespace shoal {

struct HostRunnerConfig {
  ReconcilerConfig reconciler;
  std::chrono::milliseconds resync{30'000};  // A look without a reason.
  std::chrono::milliseconds gather{50};      // Events within it make one look.
};

/// Keeps one host as it is ordered to be: reconciles at each new order, at each event of the
/// engine, when a wait is over, and each `resync`, and asks the health checks of what runs. Until
/// the first order it touches nothing, and without the engine it goes on trying. Lives on the
/// engine's executor.
class HostRunner {
 public:
  using Sink = std::function<void(const Result<Reconciler::Report>& report)>;
  /// `engine` must outlive it. `report` hears of each round after something was done or failed, or
  /// that changed what is held; `pulls` of the progress of each pull. Both may be null.
  HostRunner(Engine& engine, HostRunnerConfig config, Sink report, Reconciler::PullSink pulls = {});
  ~HostRunner();

  /// Replaces the orders.
  void order(Assignment orders);
  /// Asks for a round soon.
  void poke();

  /// Until `interrupt` is raised and all that it started has ended. Call once; must outlive it.
  [[nodiscard]] asio::awaitable<void> run(Interrupt& interrupt);

 private:
  struct Watch;

  [[nodiscard]] asio::awaitable<void> reconcile(Interrupt& interrupt);
  [[nodiscard]] asio::awaitable<void> check(std::shared_ptr<Watch> watch);
  void watch_health(const SeenHost& seen, Interrupt& interrupt);
  void start(asio::awaitable<void> work);

  Engine& engine_;
  const HostRunnerConfig config_;
  const Sink report_;
  Reconciler reconciler_;
  std::shared_ptr<const Assignment> orders_;  // Null: none yet.
  asio::steady_timer idle_;                   // Cancelled when the last of what runs has ended.
  int running_ = 0;
  std::map<std::string, std::shared_ptr<Watch>> watches_;  // By container's id.
};

}  // namespace shoal

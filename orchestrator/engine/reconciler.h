#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

#include "orchestrator/engine/engine.h"
#include "orchestrator/engine/reconcile_steps.h"
#include "orchestrator/engine/restart_backoff.h"

namespace shoal {

struct ReconcilerConfig {
  unsigned steps_max = 8;                 // At once, of all slots.
  unsigned pulls_max = 2;                 // Of these; unpacking is what makes an engine slow.
  Sweep sweep = Sweep::report;            // What becomes of containers that no slot asks for,
  std::chrono::seconds sweep_grace{300};  // once they were seen for so long.
};

/// Makes one host's engine run what is assigned to it, by looks at the whole and steps_of(). Keeps
/// no truth of its own: what it remembers (when something ended, what failed a moment ago) only
/// delays. Lives on the engine's executor; one call of round() or settle() at a time.
///
/// Steps go on by themselves while the next look is taken, so that a pull of half an hour holds up
/// nothing but its own slot. Of one slot nothing else is begun before a step has ended, and then
/// only after a look that began later; a pull is no such step, because it changes no container.
class Reconciler {
 public:
  using Now = std::function<SteadyTime()>;
  using PullSink = std::function<void(const ImageReference& image, const PullState& state)>;
  /// `engine` must outlive it. `pulls` hears of the progress of each; it may be null. `now` is the
  /// clock, steady_clock's if null.
  Reconciler(Engine& engine, ReconcilerConfig config, PullSink pulls = {}, Now now = {});
  /// Nothing may be under way; see drain().
  ~Reconciler();

  /// How a container's health check goes, by its id. One that was never spoken of is starting, if
  /// its slot has a check.
  void set_health(const std::string& id, Health health) { health_[id] = health; }

  struct Done {
    Step step;
    std::optional<Error> error;
  };
  struct Report {
    std::vector<Done> done;  // Since the last report, in the order in which they ended.
    std::size_t under_way = 0;
    std::vector<Hold> holds;           // Of the last look.
    SeenHost seen;                     // The last look.
    std::optional<SteadyTime> next{};  // When a wait of the last look is over; nothing: none waits.
    /// Every slot is as wanted.
    [[nodiscard]] bool settled() const;
  };

  /// Looks, and begins the steps that can be taken now. After a step of a slot failed, its next one
  /// waits as RestartBackoff has it. A pull that `wanted` does not ask for any more is cancelled.
  /// Fails as Engine does, if it cannot look.
  [[nodiscard]] asio::awaitable<Result<Report>> round(std::shared_ptr<const Assignment> wanted);
  /// Until a step has ended since the last round began, poke(), or that time.
  [[nodiscard]] asio::awaitable<void> wait(SteadyTime until);
  void poke();
  /// Cancels the pulls, and waits until nothing is under way: calls of the engine have their time.
  [[nodiscard]] asio::awaitable<void> drain();

  /// Rounds until there is nothing more to do now; ends early when `interrupt` (may be null) is
  /// raised. All that was done is in the report.
  [[nodiscard]] asio::awaitable<Result<Report>> settle(Assignment wanted,
                                                       Interrupt* interrupt = nullptr);

 private:
  struct Memory {
    RestartBackoff backoff;
    bool known = false;                  // There was a look at it before.
    std::uint32_t restarts = 0;          // By the engine, at the last look.
    std::optional<EngineTime> finished;  // When it ended, at the last look.
    std::optional<SteadyTime> unasked;   // Since when no slot asks for it.
    bool stopped_by_us = false;
  };
  struct Pull;

  [[nodiscard]] asio::awaitable<Result<SeenHost>> look(const Assignment& wanted);
  [[nodiscard]] asio::awaitable<Result<void>> look_at_images(const Assignment& wanted,
                                                             SeenHost& seen);
  void remember(const Container& container, Memory& memory, SeenContainer& seen);
  [[nodiscard]] std::optional<SteadyTime> next_end_of_wait(const SeenHost& seen) const;

  void begin(const std::shared_ptr<const Assignment>& wanted, const std::vector<Step>& steps);
  void cancel_pulls(const Assignment& wanted);
  void start(asio::awaitable<void> work);
  [[nodiscard]] asio::awaitable<void> run_step(std::shared_ptr<const Assignment> wanted, Step step);
  [[nodiscard]] asio::awaitable<void> run_pull(std::shared_ptr<Pull> pull);
  [[nodiscard]] asio::awaitable<Result<void>> take(const Assignment& wanted, const Step& step);
  void end(const Step& step, const Result<void>& outcome);

  Engine& engine_;
  const ReconcilerConfig config_;
  const PullSink pull_sink_;
  const Now now_;
  std::map<std::string, Health> health_;           // By container's id.
  std::map<std::string, Memory> memory_;           // By container's id.
  std::map<std::string, RestartBackoff> retries_;  // Of steps that failed, by slot.

  std::multiset<std::string> busy_;  // Slots with steps under way, but pulls.
  std::set<std::string> moved_;      // Slots of which a step has ended since the look began.
  std::map<std::string, std::shared_ptr<Pull>> pulls_;  // Under way, by image.
  std::size_t under_way_ = 0;
  std::vector<Done> done_;
  bool changed_ = false;
  asio::steady_timer change_;
};

}  // namespace shoal

#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <boost/asio/awaitable.hpp>

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
/// delays. Lives on the engine's executor; one call of look() or settle() at a time.
class Reconciler {
 public:
  using Now = std::function<SteadyTime()>;
  /// `engine` must outlive it. `now` is the clock, steady_clock's if null.
  Reconciler(Engine& engine, ReconcilerConfig config, Now now = {});

  /// How a container's health check goes, by its id. One that was never spoken of is starting, if
  /// its slot has a check.
  void set_health(const std::string& id, Health health) { health_[id] = health; }

  /// What the host looks like: one list, and an inspect of each container that is ours. Fails as
  /// Engine does.
  [[nodiscard]] asio::awaitable<Result<SeenHost>> look(const Assignment& wanted);

  struct Done {
    Step step;
    std::optional<Error> error;
  };
  struct Report {
    std::vector<Done> done;   // In the order in which they ended.
    std::vector<Hold> holds;  // Of the last look.
    SeenHost seen;            // The last look.
    /// Every slot is as wanted.
    [[nodiscard]] bool settled() const;
  };
  /// Looks and acts until there is nothing more to do now. A slot whose step failed is left alone
  /// until the next call. `progress` hears of each pull; it may be null. Fails only if it cannot
  /// look; ends early, with what was done, when `interrupt` (may be null) is raised.
  using PullProgressSink = std::function<void(const std::string& slot, const PullState& state)>;
  [[nodiscard]] asio::awaitable<Result<Report>> settle(Assignment wanted,
                                                       PullProgressSink progress = {},
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
  struct Batch;

  [[nodiscard]] asio::awaitable<Result<void>> look_at_images(const Assignment& wanted,
                                                             SeenHost& seen);
  void remember(const Container& container, Memory& memory, SeenContainer& seen);
  [[nodiscard]] asio::awaitable<void> work(Batch& batch);
  [[nodiscard]] asio::awaitable<Result<void>> take(Batch& batch, const Step& step);
  [[nodiscard]] asio::awaitable<void> run(Batch& batch);
  void note(const Step& step, const Result<void>& outcome);

  Engine& engine_;
  const ReconcilerConfig config_;
  const Now now_;
  std::map<std::string, Health> health_;           // By container's id.
  std::map<std::string, Memory> memory_;           // By container's id.
  std::map<std::string, RestartBackoff> retries_;  // Of pulls and creates, by slot.
};

}  // namespace shoal

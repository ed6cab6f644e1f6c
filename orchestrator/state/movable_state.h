#pragma once

#include <list>
#include <memory>
#include <mutex>
#include <string>

#include "orchestrator/state/state.h"

namespace shoal {

/// A state that can be exchanged for another one that holds the same (see migrate.h) while it is in
/// use: calls that are under way end at the old one, later ones go to the new, and watches begin
/// anew there, with StateRelisted. Leases do not move: their owners find them lost, and take new
/// ones. Thread-safe.
class MovableState : public State {
 public:
  explicit MovableState(std::shared_ptr<State> first) : current_(std::move(first)) {}
  ~MovableState() override = default;  // Its watches must be gone.

  /// Not from a watch's sink.
  void move_to(std::shared_ptr<State> next);

  [[nodiscard]] Result<std::optional<StateEntry>> get(const std::string& key) override;
  [[nodiscard]] Result<StateList> list(const std::string& prefix, const std::string& after,
                                       std::size_t limit) override;
  [[nodiscard]] Result<Revision> commit(const Transaction& transaction) override;
  [[nodiscard]] std::unique_ptr<StateWatch> watch(const std::string& prefix, Sink sink) override;
  [[nodiscard]] Result<LeaseId> grant(std::chrono::seconds ttl) override;
  [[nodiscard]] Result<void> keep(LeaseId lease) override;
  [[nodiscard]] Result<void> revoke(LeaseId lease) override;
  [[nodiscard]] std::string description() const override;

 private:
  class Watch;
  struct Followed {
    std::string prefix;
    Sink sink;
    std::unique_ptr<StateWatch> inner;
  };
  [[nodiscard]] std::shared_ptr<State> current() const;

  mutable std::mutex current_mutex_;  // Held for the pointer alone.
  std::shared_ptr<State> current_;
  std::mutex followed_mutex_;  // Held over the begin and end of watches: never taken by a sink.
  std::list<Followed> followed_;
};

}  // namespace shoal

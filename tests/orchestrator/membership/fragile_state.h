#pragma once

#include <atomic>
#include <string>

#include "orchestrator/state/state.h"

namespace shoal {

/// A real state as one node reaches it, whose calls a test can have fail, and whose watches it can
/// keep from hearing anything.
class FragileState : public State {
 public:
  explicit FragileState(State& real) : real_(real) {}

  std::atomic<bool> away{false};  // Calls fail with unavailable.
  std::atomic<bool> deaf{false};  // Events are lost, as from a stream that hangs.

  Result<std::optional<StateEntry>> get(const std::string& key) override {
    if (away) return gone();
    return real_.get(key);
  }
  Result<StateList> list(const std::string& prefix, const std::string& after,
                         std::size_t limit) override {
    if (away) return gone();
    return real_.list(prefix, after, limit);
  }
  Result<Revision> commit(const Transaction& transaction) override {
    if (away) return gone();
    return real_.commit(transaction);
  }
  std::unique_ptr<StateWatch> watch(const std::string& prefix, Sink sink) override {
    return real_.watch(prefix, [this, sink = std::move(sink)](const StateEvent& event) {
      if (!deaf) sink(event);
    });
  }
  Result<LeaseId> grant(std::chrono::seconds ttl) override {
    if (away) return gone();
    return real_.grant(ttl);
  }
  Result<void> keep(LeaseId lease) override {
    if (away) return gone();
    return real_.keep(lease);
  }
  Result<void> revoke(LeaseId lease) override {
    if (away) return gone();
    return real_.revoke(lease);
  }
  std::string description() const override { return real_.description(); }

 private:
  static tl::unexpected<Error> gone() { return fail(Errc::unavailable, "the state is away"); }

  State& real_;
};

}  // namespace shoal

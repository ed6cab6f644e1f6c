#pragma once

#include <functional>
#include <memory>

#include "orchestrator/state/state.h"

namespace shoal {

/// A driver under the suite, with whatever it needs to run.
class StateFixture {
 public:
  virtual ~StateFixture() = default;

  /// The state, the same at each call. It may hold keys from before: the suite uses prefixes of its
  /// own for each rule, and leaves what it wrote.
  [[nodiscard]] virtual State& state() = 0;
  /// Another way to the same state, where there is one: another client, or another node. What is
  /// written on one is at once read on the other.
  [[nodiscard]] virtual State& other() { return state(); }
};

/// The contract of state.h and election.h, rule for rule: a SECTION each, on a fixture that `make`
/// gives (a new one each time, or what shares a server). To be called from a TEST_CASE:
///
///   TEST_CASE("The embedded state keeps the contract of a state", "[orchestrator][state]") {
///     run_conformance([] { return std::make_unique<EmbeddedFixture>(); });
///   }
///
/// Leases here last from 2 s on, so that an etcd takes them as they are.
void run_conformance(const std::function<std::unique_ptr<StateFixture>()>& make);

}  // namespace shoal

#pragma once

#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>

#include "tests/orchestrator/state/conformance.h"

namespace shoal {

/// One sentence of the contract, and what shows it.
struct ConformanceRule {
  const char* sentence;
  void (*show)(StateFixture& fixture);
};

[[nodiscard]] std::vector<ConformanceRule> data_rules();
[[nodiscard]] std::vector<ConformanceRule> watch_rules();
[[nodiscard]] std::vector<ConformanceRule> lease_rules();
[[nodiscard]] std::vector<ConformanceRule> election_rules();

/// A prefix that nobody used before; ends with `/`.
[[nodiscard]] std::string fresh_prefix();

/// Ends a wait that would never end; no rule depends on its length.
inline constexpr std::chrono::seconds kPatience{60};

[[nodiscard]] inline StateWrite put(std::string key, std::string value, LeaseId lease = 0) {
  return {std::move(key), std::move(value), lease};
}
[[nodiscard]] inline StateWrite erase(std::string key) { return {std::move(key), std::nullopt, 0}; }

/// Writes without conditions.
Revision commit(State& state, std::vector<StateWrite> writes);

/// What a watch tells, held against the contract, and the entries that follow from it.
class Watched {
 public:
  /// `also` is called with each event, on the watch's thread.
  Watched(State& state, std::string prefix, State::Sink also = nullptr);
  ~Watched() { stop(); }
  void stop() { watch_.reset(); }

  /// Waits until the entries are these, and what was told is without a fault.
  void expect(const std::map<std::string, std::string>& entries);
  /// Waits until it was told of that revision or a later one.
  void expect_revision(Revision revision);

  [[nodiscard]] std::vector<StateChange> changes() const;
  [[nodiscard]] std::size_t relists() const;
  [[nodiscard]] std::string fault() const;

 private:
  void hear(const StateEvent& event);
  void hear(const StateRelisted& event);
  void hear(const StateChanged& event);
  [[nodiscard]] std::map<std::string, std::string> values() const;

  const std::string prefix_;
  const State::Sink also_;
  mutable std::mutex mutex_;
  std::condition_variable heard_;
  std::map<std::string, StateEntry> entries_;
  std::vector<StateChange> changes_;
  Revision revision_ = 0;
  std::size_t relists_ = 0;
  std::string fault_;
  std::unique_ptr<StateWatch> watch_;
};

}  // namespace shoal

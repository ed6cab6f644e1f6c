#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "orchestrator/state/state.h"

namespace shoal {

struct EmbeddedConfig {
  std::filesystem::path directory;
  std::uint64_t history = 10'000;  // Revisions a watch can go back; older ones are compacted away.
};

/// A State in RocksDB, in this process: for one machine, and for the members that reach it through
/// StateGateway. A commit is durable when it returns. A restart loses nothing; leases begin their
/// time anew then, by the monotonic clock.
class EmbeddedState : public State {
 public:
  /// Opens or creates it. Fails with unavailable when another process has it, corrupt or io.
  [[nodiscard]] static Result<std::unique_ptr<EmbeddedState>> open(const EmbeddedConfig& config);
  ~EmbeddedState() override;  // Its watches must be gone.

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
  struct Impl;
  explicit EmbeddedState(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace shoal

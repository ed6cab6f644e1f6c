#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "orchestrator/state/embedded_hub.h"
#include "orchestrator/state/embedded_leases.h"
#include "orchestrator/state/embedded_store.h"
#include "orchestrator/state/state.h"

namespace shoal {

struct EmbeddedConfig {
  std::filesystem::path directory;
  std::uint64_t history = 10'000;  // Revisions a watch can go back; older ones are compacted away.
};

/// A State in RocksDB, in this process: for one machine, and for the members that reach it through
/// StateGateway. A commit is durable when it returns, and nothing is read or told to a watch before
/// it is. A restart loses nothing; leases begin their time anew then, by the monotonic clock.
class EmbeddedState : public State {
 public:
  /// Opens or creates it. Fails with unavailable when another process has it, corrupt or io.
  [[nodiscard]] static Result<std::unique_ptr<EmbeddedState>> open(const EmbeddedConfig& config);
  ~EmbeddedState() override;  // Its watches and followers must be gone.

  [[nodiscard]] Result<std::optional<StateEntry>> get(const std::string& key) override;
  [[nodiscard]] Result<StateList> list(const std::string& prefix, const std::string& after,
                                       std::size_t limit) override;
  [[nodiscard]] Result<Revision> commit(const Transaction& transaction) override;
  [[nodiscard]] std::unique_ptr<StateWatch> watch(const std::string& prefix, Sink sink) override;
  [[nodiscard]] Result<LeaseId> grant(std::chrono::seconds ttl) override;
  [[nodiscard]] Result<void> keep(LeaseId lease) override;
  [[nodiscard]] Result<void> revoke(LeaseId lease) override;
  [[nodiscard]] std::string description() const override;

  // What StateGateway needs beyond a State: etcd's ranges, transactions and watches say more.

  /// Fails with events_compacted or bad_request when `options.at` cannot be had.
  [[nodiscard]] Result<EntryRange> range(const KeyRange& range, const RangeOptions& options);

  /// A transaction whose writes are decided in its midst: `decide` sees the newest state, which
  /// stands still meanwhile, and says what to write (each key once; none: nothing happens), or
  /// refuses with an error, which is then the answer. It must be quick and not use the state.
  /// Gives the revision of the writes, or the newest. The bounds of check() do not hold here.
  using Decide = std::function<Result<std::vector<StateWrite>>(const EmbeddedStore::View& newest)>;
  [[nodiscard]] Result<Revision> transact(const Decide& decide);

  /// See StateHub::follow().
  [[nodiscard]] std::unique_ptr<StateFollower> follow(KeyRange range, Revision after,
                                                      std::function<void()> wake);
  /// The newest revision that is durable.
  [[nodiscard]] Revision revision() const;
  /// Changes up to this one are forgotten.
  [[nodiscard]] Revision compacted() const;

  /// As grant(), under an id of the caller's (not 0): conflict when there is one of that id.
  [[nodiscard]] Result<void> grant_as(LeaseId lease, std::chrono::seconds ttl);
  /// As keep(); never blocks. The time it has now, or nothing when it ended.
  [[nodiscard]] std::optional<std::chrono::seconds> keep_now(LeaseId lease);
  [[nodiscard]] std::optional<LeaseTable::Facts> lease_facts(LeaseId lease) const;

  /// From now on transactions are refused as unavailable, but for those that write nothing but
  /// `except`, and so are new leases: the state moves to another place. Returns when no other
  /// transaction can take effect any more; `false` ends it.
  void freeze(bool on, std::string except = {});

  /// Random, and the same as long as the state exists.
  [[nodiscard]] std::uint64_t id() const;
  [[nodiscard]] std::uint64_t disk_bytes() const;

 private:
  struct Impl;
  explicit EmbeddedState(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace shoal

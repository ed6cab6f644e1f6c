#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include <boost/asio/thread_pool.hpp>

#include "orchestrator/cluster_config.h"
#include "orchestrator/enrolment.h"
#include "orchestrator/state/migrate.h"
#include "orchestrator/state/movable_state.h"
#include "orchestrator/state/state_gateway.h"

namespace shoal {

/// Where this node finds the cluster's state: in its own embedded one, which it serves to the
/// others, in that of another member, or in an etcd. Follows the state when it moves: whoever reads
/// at the old place where it went goes there, and remembers it for the next start.
///
/// A node that held the state keeps it, unchangeable, and goes on serving it: members that were
/// away read there where it went. Thread-safe.
class StateHome {
 public:
  /// `pool` runs the gateway's blocking work and must outlive this. Fails with usage, corrupt,
  /// unavailable (another process has the embedded state) or io; a state that is away does not
  /// fail it.
  [[nodiscard]] static Result<std::unique_ptr<StateHome>> open(
      const ClusterConfig& config, std::filesystem::path folder, const Enrolment& enrolled,
      std::shared_ptr<TlsContext> client_tls, asio::thread_pool& pool);
  ~StateHome();

  [[nodiscard]] State& state();
  /// Null where this node holds none.
  [[nodiscard]] StateGateway* gateway();
  /// Whether the state that is in use is this node's own.
  [[nodiscard]] bool holds_state() const;
  /// For people: `embedded`, `embedded, on https://10.0.0.1:5001` or `etcd http://10.0.0.9:2379`.
  [[nodiscard]] std::string description() const;
  /// For those who join.
  [[nodiscard]] StateLocation location() const;

  /// Copies the embedded state, which must be here, to the etcd at `url`, checks the copy, and has
  /// all members move. Pushes of tags wait meanwhile. May be run again when it was interrupted.
  /// Fails with conflict (the state is not here; the message says where), usage, or as migrate().
  [[nodiscard]] Result<MigrateReport> move_to(
      const std::string& url, const std::function<void(const MigrateProgress&)>& progress);

  /// Ends the gateway's watches. Before the server of the port between nodes stops.
  void stop();

 private:
  struct Impl;
  explicit StateHome(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace shoal

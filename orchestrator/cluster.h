#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/thread_pool.hpp>

#include "orchestrator/cluster_config.h"
#include "orchestrator/cluster_status.h"
#include "registry/http/server.h"
#include "storage/elsewhere.h"
#include "storage/store.h"

namespace prometheus {
class Registry;
}

namespace shoal {

/// What a cluster needs of the node that it runs in; all of it must outlive the cluster.
struct ClusterParts {
  Store& store;
  asio::thread_pool& disk;  // Where blocking store calls run.
  prometheus::Registry& metrics;
  std::filesystem::path folder;  // For what the membership is made of.
  std::string version;           // Of shoal.
  HttpServerConfig http;         // Limits and timeouts of the port between nodes.
};

/// This node as a member of a cluster: its port for other nodes, and all that stands behind it.
/// start() and stop() from one thread; the rest is thread-safe.
class Cluster {
 public:
  /// Joins or creates the cluster on the first start (enrolment.h), opens the state, serves the
  /// other nodes. A state that is away does not fail it.
  [[nodiscard]] static Result<std::unique_ptr<Cluster>> start(const ClusterConfig& config,
                                                              ClusterParts parts);
  /// Calls stop(0 s) if that was not done.
  ~Cluster();

  [[nodiscard]] Elsewhere& elsewhere();
  /// Where calls of elsewhere() run: a thread for each transfer that should go on at once.
  [[nodiscard]] asio::thread_pool& remote();
  /// For StoreConfig::expendable.
  [[nodiscard]] bool expendable(const Digest& digest);

  /// Answers `/shoal/v1/transfers` (see transfers_json.h), `/shoal/v1/torrents...` (open_swarm.h)
  /// and `/shoal/v1/cluster/...` on the node's own port: MembershipApi, and
  ///   GET  status              see cluster_status.h
  ///   POST state/move?to=URL   see StateHome::move_to(); streams its progress as LongRun does
  [[nodiscard]] asio::awaitable<Response> serve_local(Request& request);

  /// Never blocks for long.
  [[nodiscard]] ClusterStatus status() const;

  /// The addresses of the port between nodes.
  [[nodiscard]] std::vector<std::string> addresses() const;
  [[nodiscard]] const std::string& node_id() const;

  /// Says goodbye to the other members, who know at once; calls of elsewhere() go on. Blocking.
  void leave();
  /// Calls of elsewhere() that are under way, and all later ones, fail soon. From any thread.
  void interrupt();
  /// Both, and ends all the rest; up to `grace` for requests of other nodes. No call of elsewhere()
  /// may be under way. Blocking; idempotent.
  void stop(std::chrono::seconds grace);

 private:
  struct Impl;
  explicit Cluster(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace shoal

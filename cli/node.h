#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/thread_pool.hpp>

#include "cli/options.h"
#include "orchestrator/cluster.h"
#include "registry/node_api.h"

namespace shoal {

class EvictionGate;

/// The daemon: one store and what serves it, and the cluster that it is a member of.
///   /v2          the registry API           /healthz   200 while the process can answer
///   /shoal/v1    the node's own API         /readyz    200 while it takes work, 503 when it stops
///   /metrics     Prometheus                 /          what this is, for people
/// start() and stop() from one thread.
class Node {
 public:
  /// Opens the store, binds the addresses, serves. Fails with unavailable when another process
  /// holds the store or an address (the message names it), else as Store::open() does.
  [[nodiscard]] static Result<std::unique_ptr<Node>> start(const NodeConfig& config);

  /// Calls stop(0 s) if that was not done.
  ~Node();
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  /// The addresses it really listens on.
  [[nodiscard]] std::vector<std::string> addresses() const;
  /// Those of the port between nodes; none for a node that stands alone.
  [[nodiscard]] std::vector<std::string> cluster_addresses() const;

  /// Ends event streams and long runs, stops accepting, waits up to `grace` for requests under way.
  /// Blocking; idempotent.
  void stop(std::chrono::seconds grace);

 private:
  Node(const NodeConfig& config, std::shared_ptr<EvictionGate> gate, std::unique_ptr<Store> store);
  [[nodiscard]] Result<void> join_cluster(const NodeConfig& config);
  [[nodiscard]] asio::awaitable<Response> serve_cluster(Request& request);

  [[nodiscard]] asio::awaitable<Response> serve(Request& request);
  [[nodiscard]] Response serve_own(const Request& request) const;

  // In the order of who needs whom: destroyed from the last to the first.
  const std::unique_ptr<prometheus::Registry> metrics_;
  const std::shared_ptr<EvictionGate> gate_;
  const std::unique_ptr<Store> store_;
  asio::thread_pool disk_;
  std::unique_ptr<Cluster> cluster_;  // Null: alone.
  std::unique_ptr<RegistryApi> registry_;
  std::unique_ptr<NodeApi> api_;
  std::atomic<bool> stopping_{false};
  std::unique_ptr<HttpServer> server_;
};

}  // namespace shoal

#pragma once

#include <chrono>
#include <memory>
#include <string>

#include <boost/asio/thread_pool.hpp>

#include "registry/http/message.h"
#include "registry/node_events.h"
#include "registry/node_images.h"
#include "registry/node_runs.h"
#include "registry/shared_images.h"
#include "storage/elsewhere.h"
#include "storage/store.h"

namespace shoal {

/// The node's own API, which the command line and later parts use. Serves `/shoal/v1/...`, JSON:
///   GET    version, status
///   GET    images?repository=&last=&n=     see NodeImages
///   GET    images/inspect?name=REF
///   DELETE images?name=REF
///   GET    usage?last=&n=
///   GET    events?since=N                  see EventStreams
///   POST   gc?now=true                     see LongRun; CollectReport
///   POST   scrub?rate=20MiB-in-bytes       see LongRun; ScrubReport
/// Errors are documents as those of the registry API. Thread-safe.
class NodeApi {
 public:
  /// `store` and `disk` (where blocking calls run) must outlive the API.
  NodeApi(Store& store, asio::thread_pool& disk, std::string version);
  /// A node of a cluster: its images are those of all nodes. As RegistryApi takes them.
  NodeApi(Store& store, asio::thread_pool& disk, std::string version, Elsewhere* elsewhere,
          asio::thread_pool& remote);

  /// Answers one request whose path begins with `/shoal/v1`. Never fails.
  [[nodiscard]] asio::awaitable<Response> serve(Request& request);

  /// Ends what would go on for long (event streams, collections, scrubs) and waits for it; new ones
  /// are refused. To be called before the server stops: its loops must still exist.
  void stop();

 private:
  [[nodiscard]] asio::awaitable<Response> list_images(Request& request);
  [[nodiscard]] asio::awaitable<Response> inspect_or_remove(Request& request, bool remove);
  [[nodiscard]] asio::awaitable<Response> usage(Request& request);
  [[nodiscard]] Response collect(Request& request);
  [[nodiscard]] Response scrub(Request& request);
  [[nodiscard]] std::string status() const;

  Store& store_;
  asio::thread_pool& disk_;
  const std::unique_ptr<SharedImages> shared_;  // Null: alone.
  asio::thread_pool& blocking_;                 // For what may wait for other nodes.
  const std::string version_;
  const std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
  NodeImages images_;
  EventStreams events_;
  LongRun collection_{"a collection"};
  LongRun scrub_{"a scrub"};
};

}  // namespace shoal

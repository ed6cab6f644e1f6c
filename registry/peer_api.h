#pragma once

#include <boost/asio/thread_pool.hpp>

#include "registry/http/message.h"
#include "storage/store.h"

namespace shoal {

/// What the members of a cluster ask of this node's store over the port between nodes:
///   GET, HEAD /cluster/v1/blobs/DIGEST                           of whatever repository; ranges
///   GET, HEAD /cluster/v1/manifests?repository=NAME&digest=DIGEST
/// Answers only from what the store itself holds, and asks nobody: so no question goes in circles.
/// 404 says that it is not here, cheaply. A blob that was said to be here is kept for the grace
/// period, as by Blobs::stat(). Who asks was checked before. Thread-safe.
class PeerApi {
 public:
  /// `store` and `disk` (where blocking calls run) must outlive the API.
  PeerApi(Store& store, asio::thread_pool& disk) : store_(store), disk_(disk) {}

  /// Answers one request whose path begins with `/cluster/v1/blobs/` or is `/cluster/v1/manifests`.
  /// Never fails.
  [[nodiscard]] asio::awaitable<Response> serve(Request& request);

 private:
  [[nodiscard]] asio::awaitable<Response> blob(Request& request, std::string_view text);
  [[nodiscard]] asio::awaitable<Response> manifest(Request& request);

  Store& store_;
  asio::thread_pool& disk_;
};

}  // namespace shoal

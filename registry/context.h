#pragma once

#include <string>

#include <boost/asio/thread_pool.hpp>

#include "registry/api.h"
#include "registry/http/message.h"
#include "storage/store.h"

namespace shoal {

class SharedImages;

/// What every route works with. Borrowed from the RegistryApi that serves the request.
struct RouteContext {
  Store& store;
  asio::thread_pool& disk;
  const RegistryConfig& config;
  SharedImages* shared;       // Null: this node stands alone.
  asio::thread_pool& remote;  // Where work waits for other nodes.

  /// Where work runs that, in a cluster, may have to wait for other nodes.
  [[nodiscard]] asio::thread_pool& blocking() const { return shared == nullptr ? disk : remote; }
};

/// `/v2/<name>/blobs/<digest>`, as `Location` fields carry it: relative, because clients refuse a
/// redirect to another host and a node does not know the names it is reached under.
[[nodiscard]] inline std::string blob_location(const Repository& repository, const Digest& digest) {
  return "/v2/" + repository.text() + "/blobs/" + digest.to_string();
}

}  // namespace shoal

#pragma once

#include <string_view>

#include <boost/asio/thread_pool.hpp>

#include "p2p/directory_table.h"
#include "registry/http/message.h"

namespace shoal {

/// Serves POST /cluster/v1/directory/announce and /cluster/v1/directory/lookup to other nodes
/// (directory_messages.h). Thread-safe.
class DirectoryRoutes {
 public:
  /// Both must outlive it; the table is asked on the pool.
  DirectoryRoutes(DirectoryTable& table, asio::thread_pool& pool);

  /// Whether `path` is one of these two.
  [[nodiscard]] static bool serves(std::string_view path);

  /// 200; 403 for a peer without a certificate, or one that announces what another holds; 405; 413;
  /// 400 for what is not such a message. Errors carry a sentence as plain text.
  [[nodiscard]] asio::awaitable<Response> handle(Request& request);

 private:
  DirectoryTable& table_;
  asio::thread_pool& pool_;
};

}  // namespace shoal

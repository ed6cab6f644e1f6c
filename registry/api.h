#pragma once

#include <cstdint>
#include <memory>

#include <boost/asio/thread_pool.hpp>

#include "registry/http/message.h"
#include "storage/elsewhere.h"
#include "storage/store.h"

namespace shoal {

class SharedImages;

struct RegistryConfig {
  std::uint64_t manifest_bytes_max = 8 << 20;  // Above: 413.
  std::uint64_t blob_bytes_max = 0;            // 0: whatever the disk holds.
  std::uint32_t page_entries_max = 10'000;     // tags/list and _catalog clamp `n` to this.
  std::uint32_t catalog_page_default = 100;    // As Docker's registry does without `n`.
  std::uint32_t ranges_max = 1024;             // Parts of a multi-range answer; above: 400.
  std::uint32_t tags_per_put_max = 16;         // `?tag=` on a manifest PUT; above: 414.
  bool deletes = true;                         // false: DELETE answers 405 UNSUPPORTED.
};

/// The OCI distribution API 1.1 with the additions of its main branch, and Docker's Registry v2
/// around it, on a Store. Serves `/v2/...`. Stateless beyond what it is given; thread-safe.
class RegistryApi {
 public:
  /// `store` and `disk` (where blocking calls run) must outlive the API.
  RegistryApi(Store& store, asio::thread_pool& disk, const RegistryConfig& config);
  /// A node of a cluster: what the store cannot answer, `elsewhere` is asked, on `remote`, a pool
  /// of its own so that slow peers never hold up the disk. It has a thread for each transfer that
  /// should go on at the same time. Both must outlive the API; null: the node stands alone.
  RegistryApi(Store& store, asio::thread_pool& disk, const RegistryConfig& config,
              Elsewhere* elsewhere, asio::thread_pool& remote);
  ~RegistryApi();

  /// Answers one request whose path begins with `/v2`. Never fails: errors become OCI documents.
  [[nodiscard]] asio::awaitable<Response> serve(Request& request);

 private:
  Store& store_;
  asio::thread_pool& disk_;
  RegistryConfig config_;
  const std::unique_ptr<SharedImages> shared_;  // Null: alone.
  asio::thread_pool& remote_;
};

}  // namespace shoal

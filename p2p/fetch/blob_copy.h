#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "storage/store.h"

namespace shoal {

/// Content on its way into the store: an upload session that goes when it was not committed. What
/// is small needs none. Blocking; one thread at a time.
class BlobCopy {
 public:
  /// `store` must outlive it.
  BlobCopy(Store& store, const Repository& repository, const Digest& digest);
  /// Drops what was not committed.
  ~BlobCopy();
  BlobCopy(const BlobCopy&) = delete;
  BlobCopy& operator=(const BlobCopy&) = delete;

  [[nodiscard]] std::uint64_t size() const { return size_; }
  /// Fails with disk_full, quota_exceeded or io.
  [[nodiscard]] Result<void> append(std::string_view bytes);
  /// Makes it a blob of the repository; durable on return. Fails with digest_invalid, or as
  /// append() does.
  [[nodiscard]] Result<void> commit();

 private:
  [[nodiscard]] Result<void> begin();

  Store& store_;
  const Repository repository_;
  const Digest digest_;
  std::uint64_t size_ = 0;
  std::string small_;    // Everything, as long as there is no session.
  std::string session_;  // Its id; "": none.
  std::unique_ptr<Upload> upload_;
};

}  // namespace shoal

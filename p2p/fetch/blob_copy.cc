#include "p2p/fetch/blob_copy.h"

#include <spdlog/spdlog.h>

namespace shoal {
namespace {

constexpr std::size_t kSmallBytes = 64 << 10;

}  // namespace

BlobCopy::BlobCopy(Store& store, const Repository& repository, const Digest& digest)
    : store_(store), repository_(repository), digest_(digest) {}

BlobCopy::~BlobCopy() {
  if (session_.empty()) return;
  upload_.reset();
  const auto dropped = store_.uploads().cancel(repository_, session_);
  if (!dropped && dropped.error().code != Errc::upload_unknown) {
    spdlog::warn("an unfinished copy stays until it expires digest={} error=\"{}\"",
                 digest_.to_string(), dropped.error().message);
  }
}

Result<void> BlobCopy::begin() {
  const auto session = store_.uploads().create(repository_, digest_.algorithm());
  if (!session) return tl::unexpected(session.error());
  session_ = session->id;
  auto upload = store_.uploads().claim(repository_, session_);
  if (!upload) return tl::unexpected(upload.error());
  upload_ = std::move(*upload);
  return {};
}

Result<void> BlobCopy::append(std::string_view bytes) {
  if (!upload_ && size_ + bytes.size() <= kSmallBytes) {
    small_ += bytes;
    size_ += bytes.size();
    return {};
  }
  if (!upload_) {
    const auto begun = begin();
    if (!begun) return begun;
    if (!small_.empty()) {
      const auto moved = upload_->append(small_);
      if (!moved) return moved;
      small_ = {};
    }
  }
  const auto appended = upload_->append(bytes);
  if (appended) size_ += bytes.size();
  return appended;
}

Result<void> BlobCopy::commit() {
  const auto info =
      upload_ ? upload_->commit(digest_) : store_.uploads().put(repository_, digest_, small_);
  if (!info) return tl::unexpected(info.error());
  upload_.reset();
  session_.clear();
  return {};
}

}  // namespace shoal

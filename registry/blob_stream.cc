#include "registry/blob_stream.h"

#include <algorithm>
#include <chrono>
#include <optional>

#include "registry/background.h"
#include "registry/disk.h"

namespace shoal {
namespace {

constexpr std::size_t kFirstPiece = 256 << 10;
constexpr std::size_t kPiece = 1 << 20;
// A few bytes of a chunk keep all of it in memory: many small ranges make many pieces.
constexpr std::size_t kChunksMax = 8;
// What comes slowly, as from a distant node, is handed on: a client must see that it goes on.
constexpr std::chrono::milliseconds kGatherFor{200};

/// Memory to send with one call. The texts point into `bytes` and `heads`.
struct Piece {
  std::vector<BlobBytes> bytes;
  std::vector<std::unique_ptr<const std::string>> heads;
  std::vector<std::string_view> views;
  std::size_t size = 0;

  void add(std::string head) {
    if (head.empty()) return;
    heads.push_back(std::make_unique<const std::string>(std::move(head)));
    views.emplace_back(*heads.back());
    size += heads.back()->size();
  }
  void add(BlobBytes chunk) {
    views.push_back(chunk.view());
    size += chunk.view().size();
    bytes.push_back(std::move(chunk));
  }
};

/// Walks over the parts. Shared with a read that may outlive the body; one caller at a time.
class Walk {
 public:
  Walk(std::shared_ptr<BlobReader> reader, std::vector<BlobPart> parts, std::string tail)
      : reader_(std::move(reader)), parts_(std::move(parts)), tail_(std::move(tail)) {}

  bool at_end() const { return part_ == parts_.size() && tail_.empty(); }

  /// The next piece of about `size` bytes, shorter when Wait::no allows no more.
  /// Fails with would_block if it allows nothing at all.
  Result<Piece> next(std::size_t size, Wait wait) {
    Piece piece;
    const auto start = std::chrono::steady_clock::now();
    while (piece.size < size && piece.bytes.size() < kChunksMax && part_ < parts_.size()) {
      auto& [head, range] = parts_[part_];
      const auto wanted = std::min<std::uint64_t>(range.length, size - piece.size);
      auto chunk = reader_->read(range.offset, static_cast<std::size_t>(wanted), wait);
      if (!chunk) {
        const bool has_some = chunk.error().code == Errc::would_block && piece.size > 0;
        if (has_some) return piece;
        return tl::unexpected(chunk.error());
      }
      piece.add(std::exchange(head, {}));
      range.offset += chunk->view().size();
      range.length -= chunk->view().size();
      piece.add(*std::move(chunk));
      if (range.length == 0) ++part_;
      if (std::chrono::steady_clock::now() - start > kGatherFor) break;
    }
    if (part_ == parts_.size()) piece.add(std::exchange(tail_, {}));
    return piece;
  }

 private:
  const std::shared_ptr<BlobReader> reader_;
  std::vector<BlobPart> parts_;
  std::size_t part_ = 0;
  std::string tail_;
};

class BlobStream final : public ResponseBody {
 public:
  BlobStream(std::shared_ptr<Walk> walk, asio::thread_pool& pool, asio::any_io_executor executor)
      : walk_(std::move(walk)), pool_(pool), executor_(std::move(executor)) {}

  asio::awaitable<Result<std::vector<std::string_view>>> next() override {
    piece_ = {};
    if (ahead_) {
      auto read = co_await ahead_->wait();
      ahead_.reset();
      if (!read) co_return tl::unexpected(read.error());
      piece_ = *std::move(read);
    } else {
      if (walk_->at_end()) co_return std::vector<std::string_view>{};
      const auto read_some = [this](Wait wait) {
        blocked_ = wait == Wait::yes;
        return walk_->next(size_, wait);
      };
      auto read = co_await from_memory_or_disk(pool_, read_some);
      if (!read) co_return tl::unexpected(read.error());
      piece_ = *std::move(read);
    }
    size_ = kPiece;
    // Only where the disk is really read: what is in memory needs no other thread.
    if (blocked_ && !walk_->at_end()) {
      ahead_.emplace(pool_, executor_, [walk = walk_] { return walk->next(kPiece, Wait::yes); });
    }
    co_return piece_.views;
  }

 private:
  const std::shared_ptr<Walk> walk_;
  asio::thread_pool& pool_;
  const asio::any_io_executor executor_;
  std::size_t size_ = kFirstPiece;
  bool blocked_ = false;
  Piece piece_;
  std::optional<Background<Result<Piece>>> ahead_;
};

}  // namespace

std::unique_ptr<ResponseBody> stream_blob(std::shared_ptr<BlobReader> reader,
                                          std::vector<BlobPart> parts, std::string tail,
                                          asio::thread_pool& pool, asio::any_io_executor executor) {
  auto walk = std::make_shared<Walk>(std::move(reader), std::move(parts), std::move(tail));
  return std::make_unique<BlobStream>(std::move(walk), pool, std::move(executor));
}

}  // namespace shoal

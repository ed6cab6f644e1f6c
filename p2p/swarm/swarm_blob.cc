#include "p2p/swarm/swarm_blob.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace shoal {
namespace {

constexpr std::uint64_t kStoredBytesMax = 256 << 10;  // BlobReader::read() gives no more.

}  // namespace

SwarmBlob::SwarmBlob(Torrent torrent, std::shared_ptr<BlobReader> reader, PieceBuffers& buffers)
    : torrent_(std::move(torrent)), reader_(std::move(reader)), buffers_(buffers) {}

SwarmBlob::SwarmBlob(Torrent torrent, std::shared_ptr<Arrival> arrival, PieceBuffers& buffers,
                     std::function<void(std::uint32_t piece)> on_piece)
    : torrent_(std::move(torrent)),
      arrival_(std::move(arrival)),
      buffers_(buffers),
      on_piece_(std::move(on_piece)) {}

std::uint64_t SwarmBlob::bytes_of(std::uint32_t piece) const {
  return std::min(torrent_.piece_bytes, torrent_.size - piece * torrent_.piece_bytes);
}

std::vector<bool> SwarmBlob::pieces() const {
  return arrival_ ? arrival_->pieces() : std::vector<bool>(torrent_.piece_count(), true);
}

std::shared_ptr<PieceBuffer> SwarmBlob::coming(std::uint32_t piece) const {
  const std::lock_guard lock(mutex_);
  const auto found = coming_.find(piece);
  return found == coming_.end() ? nullptr : found->second;
}

/// For a check: nobody changes its bytes any more.
std::shared_ptr<PieceBuffer> SwarmBlob::take(std::uint32_t piece) {
  const std::lock_guard lock(mutex_);
  const auto found = coming_.find(piece);
  if (found == coming_.end()) return nullptr;
  auto buffer = std::move(found->second);
  coming_.erase(found);
  sealed_.insert(piece);
  return buffer;
}

SwarmBlob::Recent SwarmBlob::recent(std::uint64_t at) const {
  const std::lock_guard lock(mutex_);
  for (const auto& value : recent_) {
    if (value.bytes && at >= value.start && at < value.start + value.bytes->view().size()) {
      return value;
    }
  }
  return {};
}

bool SwarmBlob::read_recent(std::uint32_t piece, std::uint64_t offset, std::span<char> room) {
  const std::uint64_t at = piece * torrent_.piece_bytes + offset;
  const auto value = recent(at);
  if (!value.bytes || at + room.size() > value.start + value.bytes->view().size()) return false;
  std::memcpy(room.data(), value.bytes->view().data() + (at - value.start), room.size());
  keep_recent(value, at + room.size());
  return true;
}

/// One that was read to its end is let go: what was given away must not stay in memory.
void SwarmBlob::keep_recent(const Recent& value, std::uint64_t read_to) {
  const bool done = read_to == value.start + value.bytes->view().size();
  const std::lock_guard lock(mutex_);
  const auto found = std::find_if(recent_.begin(), recent_.end(), [&](const Recent& one) {
    return one.bytes && one.start == value.start;
  });
  if (done && found != recent_.end()) *found = {};
  if (!done && found == recent_.end()) recent_[oldest_++ % recent_.size()] = value;
}

Result<void> SwarmBlob::read(std::uint32_t piece, std::uint64_t offset, std::span<char> room) {
  // Values stand on multiples of this, and are read whole.
  const std::uint64_t unit = std::min(torrent_.piece_bytes, kStoredBytesMax);
  std::uint64_t at = piece * torrent_.piece_bytes + offset;
  while (!room.empty()) {
    auto value = recent(at);
    bool stored = value.bytes != nullptr;
    if (!value.bytes) {
      value.start = at / unit * unit;
      // What waits in memory is there without a wait, and is not kept from being let go.
      auto bytes = arrival_ ? arrival_->read(value.start, unit, Wait::no)
                            : reader_->read(value.start, unit, Wait::no);
      stored = !bytes && bytes.error().code == Errc::would_block;
      if (stored) {
        bytes = arrival_ ? arrival_->read(value.start, unit, Wait::yes)
                         : reader_->read(value.start, unit, Wait::yes);
      }
      if (!bytes) return tl::unexpected(bytes.error());
      value.bytes = std::make_shared<const BlobBytes>(*std::move(bytes));
    }
    const auto part = value.bytes->view().substr(at - value.start, room.size());
    std::memcpy(room.data(), part.data(), part.size());
    room = room.subspan(part.size());
    at += part.size();
    if (stored) keep_recent(value, at);
  }
  return {};
}

void SwarmBlob::write(std::uint32_t piece, std::uint64_t offset, std::string_view bytes) {
  if (!arrival_ || arrival_->has(piece)) return;  // A block that came twice.
  const std::lock_guard lock(mutex_);
  if (stopped_ || sealed_.contains(piece)) return;
  auto& slot = coming_[piece];
  if (!slot) slot = buffers_.lend(bytes_of(piece));
  // Under the lock: a piece is not taken while a block is on its way into it.
  std::memcpy(slot->bytes().data() + offset, bytes.data(), bytes.size());
}

Result<std::shared_ptr<PieceBuffer>> SwarmBlob::whole_piece(std::uint32_t piece) {
  if (auto buffer = coming(piece)) return buffer;
  auto buffer = buffers_.lend(bytes_of(piece));
  const auto done = read(piece, 0, buffer->bytes());
  if (!done) return tl::unexpected(done.error());
  return buffer;
}

/// A check that stop() waits for; not begun when that was first.
class SwarmBlob::Check {
 public:
  explicit Check(SwarmBlob& blob) : blob_(blob) {
    const std::lock_guard lock(blob_.mutex_);
    begun_ = !blob_.stopped_;
    blob_.checks_ += begun_ ? 1 : 0;
  }
  ~Check() {
    const std::lock_guard lock(blob_.mutex_);
    blob_.checks_ -= begun_ ? 1 : 0;
    blob_.idle_.notify_all();
  }
  Check(const Check&) = delete;
  Check& operator=(const Check&) = delete;

  [[nodiscard]] bool begun() const { return begun_; }

 private:
  SwarmBlob& blob_;
  bool begun_;
};

void SwarmBlob::stop() {
  std::unique_lock lock(mutex_);
  stopped_ = true;
  idle_.wait(lock, [this] { return checks_ == 0; });
  coming_.clear();
}

bool SwarmBlob::check_tree(std::uint32_t piece, std::string_view bytes, std::span<TreeHash> blocks,
                           BlockHasher& hasher) const {
  const auto hashes = hasher.blocks(bytes);
  std::copy_n(hashes.begin(), std::min(hashes.size(), blocks.size()), blocks.begin());
  return hasher.piece(hashes, torrent_.piece_bytes) == torrent_.pieces[piece];
}

Result<bool> SwarmBlob::check(std::uint32_t piece, std::span<TreeHash> blocks,
                              BlockHasher& hasher) {
  const Check under_way(*this);
  if (!under_way.begun()) return fail(Errc::unavailable, "the transfer has ended");
  const auto came = take(piece);
  const auto buffer = came ? came : whole_piece(piece);
  if (!buffer) return tl::unexpected(buffer.error());
  const auto room = (*buffer)->bytes();
  const std::string_view bytes(room.data(), room.size());
  const bool right = torrent_.kind() == TorrentKind::v1 ? torrent_.matches(piece, bytes)
                                                        : check_tree(piece, bytes, blocks, hasher);
  if (!came) return right;
  if (right) arrival_->add(piece, bytes, *buffer);
  {
    const std::lock_guard lock(mutex_);
    sealed_.erase(piece);
  }
  if (right && on_piece_) on_piece_(piece);
  return right;
}

Result<TreeHash> SwarmBlob::check_block(std::uint32_t piece, std::uint64_t offset,
                                        BlockHasher& hasher) {
  const std::uint64_t size = std::min(kBlockBytes, bytes_of(piece) - offset);
  if (const auto buffer = coming(piece)) {
    const auto bytes = buffer->bytes().subspan(offset, size);
    return hasher.hash({bytes.data(), bytes.size()});
  }
  std::array<char, kBlockBytes> block;
  const auto room = std::span(block).first(size);
  const auto done = read(piece, offset, room);
  if (!done) return tl::unexpected(done.error());
  return hasher.hash({room.data(), room.size()});
}

void SwarmBlob::clear(std::uint32_t piece) {
  const std::lock_guard lock(mutex_);
  coming_.erase(piece);
}

}  // namespace shoal

#include "p2p/swarm/transfer.h"

#include <utility>

namespace shoal {
namespace {

using Steady = std::chrono::steady_clock;

// So long after it got a piece a reader is taken to go on from there.
constexpr std::chrono::milliseconds kReads{1000};

}  // namespace

std::string_view to_string(SwarmClass value) {
  switch (value) {
    case SwarmClass::demand: return "demand";
    case SwarmClass::prefetch: return "prefetch";
    case SwarmClass::replication: return "replication";
  }
  return "";
}

SwarmTransfer::SwarmTransfer(Repository repository, Torrent torrent, std::string claimed_by,
                             SwarmClass of_class, std::shared_ptr<Arrival> arrival, Waiting waiting)
    : repository_(std::move(repository)),
      torrent_(std::move(torrent)),
      claimed_by_(std::move(claimed_by)),
      arrival_(std::move(arrival)),
      waiting_(std::move(waiting)),
      class_(of_class) {}

void SwarmTransfer::raise(SwarmClass to) {
  auto now = class_.load();
  while (to < now && !class_.compare_exchange_weak(now, to)) {
  }
}

Result<BlobBytes> SwarmTransfer::read(std::uint64_t offset, std::size_t max, Wait wait) {
  const auto piece = static_cast<std::uint32_t>(offset / torrent_.piece_bytes);
  if (!arrival_->has(piece)) {
    if (wait == Wait::no) return fail(Errc::would_block, "the piece is still on its way");
    std::unique_lock lock(mutex_);
    const auto entry = waited_for_.insert(piece);
    lock.unlock();
    waiting_();
    lock.lock();
    changed_.wait(lock, [&] { return end_ || arrival_->has(piece); });
    waited_for_.erase(entry);
    note(piece);
    if (!arrival_->has(piece)) return tl::unexpected(end_->error());
  }
  return arrival_->read(offset, max, wait);
}

Result<void> SwarmTransfer::wait() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return end_.has_value(); });
  return *end_;
}

std::optional<Result<void>> SwarmTransfer::wait_for(std::chrono::milliseconds patience) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, patience, [this] { return end_.has_value(); });
  return end_;
}

bool SwarmTransfer::wait_for_piece(std::uint32_t piece, std::chrono::milliseconds patience) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, patience, [&] { return end_ || arrival_->has(piece); });
  return arrival_->has(piece);
}

bool SwarmTransfer::ended() const {
  const std::lock_guard lock(mutex_);
  return end_.has_value();
}

std::set<std::uint32_t> SwarmTransfer::waited_for() const {
  const std::lock_guard lock(mutex_);
  std::set<std::uint32_t> pieces(waited_for_.begin(), waited_for_.end());
  const auto fresh = Steady::now() - kReads;
  for (const auto& [piece, since] : had_) {
    if (since >= fresh) pieces.insert(piece);
  }
  return pieces;
}

/// Under the lock: a reader has got a piece that it waited for.
void SwarmTransfer::note(std::uint32_t piece) {
  const auto now = Steady::now();
  std::erase_if(had_, [&](const auto& one) { return one.second < now - kReads; });
  had_[piece] = now;
}

void SwarmTransfer::piece_arrived() {
  const std::lock_guard lock(mutex_);
  changed_.notify_all();
}

void SwarmTransfer::end(Result<void> how) {
  const std::lock_guard lock(mutex_);
  if (end_) return;
  end_ = std::move(how);
  changed_.notify_all();
}

}  // namespace shoal

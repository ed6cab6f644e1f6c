#include "p2p/swarm/piece_buffers.h"

#include <utility>

namespace shoal {

PieceBuffer::~PieceBuffer() { pool_.take_back(std::move(memory_), size_); }

std::shared_ptr<PieceBuffer> PieceBuffers::lend(std::size_t bytes) {
  std::unique_ptr<char[]> memory;
  {
    const std::lock_guard lock(mutex_);
    const auto spare = spare_.find(bytes);
    if (spare != spare_.end() && !spare->second.empty()) {
      memory = std::move(spare->second.back());
      spare->second.pop_back();
      spare_bytes_ -= bytes;
    }
  }
  if (!memory) memory = std::make_unique_for_overwrite<char[]>(bytes);
  lent_bytes_ += bytes;
  return std::make_shared<PieceBuffer>(*this, std::move(memory), bytes);
}

void PieceBuffers::take_back(std::unique_ptr<char[]> memory, std::size_t bytes) {
  lent_bytes_ -= bytes;
  const std::lock_guard lock(mutex_);
  if (spare_bytes_ + bytes > spare_bytes_max_) return;
  spare_[bytes].push_back(std::move(memory));
  spare_bytes_ += bytes;
}

}  // namespace shoal

#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

namespace shoal {

class PieceBuffers;

/// Memory for one piece, uninitialised. Goes back to its pool when it is destroyed; the pool must
/// outlive it.
class PieceBuffer {
 public:
  PieceBuffer(PieceBuffers& pool, std::unique_ptr<char[]> memory, std::size_t size)
      : pool_(pool), memory_(std::move(memory)), size_(size) {}
  ~PieceBuffer();
  PieceBuffer(const PieceBuffer&) = delete;
  PieceBuffer& operator=(const PieceBuffer&) = delete;

  [[nodiscard]] std::span<char> bytes() { return {memory_.get(), size_}; }

 private:
  PieceBuffers& pool_;
  std::unique_ptr<char[]> memory_;
  std::size_t size_;
};

/// Lends memory to what moves, counts it, and keeps some of it for the next: memory that comes
/// fresh from the kernel costs a fault for each of its pages. Thread-safe; never blocks for long.
class PieceBuffers {
 public:
  /// `spare_bytes_max`: what is kept unused.
  explicit PieceBuffers(std::size_t spare_bytes_max) : spare_bytes_max_(spare_bytes_max) {}

  [[nodiscard]] std::shared_ptr<PieceBuffer> lend(std::size_t bytes);
  /// Bytes that are lent now.
  [[nodiscard]] std::uint64_t lent_bytes() const { return lent_bytes_; }

 private:
  friend class PieceBuffer;
  void take_back(std::unique_ptr<char[]> memory, std::size_t bytes);

  const std::size_t spare_bytes_max_;
  std::atomic<std::uint64_t> lent_bytes_{0};
  std::mutex mutex_;
  std::map<std::size_t, std::vector<std::unique_ptr<char[]>>> spare_;  // By size.
  std::size_t spare_bytes_ = 0;
};

}  // namespace shoal

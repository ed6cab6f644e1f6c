#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>

#include <boost/asio/thread_pool.hpp>

#include "p2p/swarm/piece_buffers.h"
#include "storage/arrivals.h"
#include "storage/run_on.h"

namespace shoal {

struct SwarmStoreConfig {
  unsigned check_threads = 2;  // For the hashes of pieces, and reads for peers,
  unsigned store_threads = 1;  // and for segments and the digests of the whole.
  /// So many bytes of one arrival that wait are written, as a segment.
  std::uint64_t segment_bytes = 8 << 20;
  /// More than so many that wait to be checked or written, of all arrivals, hold the peers up,
  /// until there are no more than that: a peer that is held up is not heard either. Several layers
  /// of less than a segment each fit in (with half of it 14 layers took longer: measured).
  std::uint64_t waiting_bytes_max = 48 << 20;
  /// What came slowly is written after this time, if it is worth a segment of its own, or later.
  std::chrono::seconds patience{5};
  std::uint64_t small_segment_bytes = 4 << 20;
  std::chrono::seconds patience_max{30};
};

/// Where the swarm's pieces are checked and brought to the disk: threads, memory, and how much of
/// it waits. Thread-safe; nothing here blocks but the destructor and drain().
class SwarmStore {
 public:
  /// An arrival that could not be stored or hashed on, once. On a thread of the store.
  using Failed = std::function<void(const Digest& digest, const Error& error)>;

  SwarmStore(SwarmStoreConfig config, Failed failed);
  /// Arrivals that are not drained lose what waits.
  ~SwarmStore();

  [[nodiscard]] PieceBuffers& buffers() { return buffers_; }
  /// Where pieces are checked and read.
  [[nodiscard]] asio::thread_pool& checking() { return checking_; }
  /// Where work that may take long is done, like a commit.
  [[nodiscard]] asio::thread_pool& storing() { return storing_; }

  /// A piece came whole and waits for its check, or no longer does.
  void check_begins(std::uint64_t bytes) { checking_bytes_ += bytes; }
  void check_ends(std::uint64_t bytes);

  /// A piece was added: what waits long enough, or is enough, is written, and the digest goes on.
  void piece_arrived(const std::shared_ptr<Arrival>& arrival, std::uint64_t bytes);
  /// Writes what has waited for long; about once a second.
  void tick();

  /// Whether peers must wait.
  [[nodiscard]] bool full() const { return waiting_bytes() > config_.waiting_bytes_max; }
  /// The same; if so, `eased` is called once they need not, from any thread.
  [[nodiscard]] bool full(std::function<void()> eased);

  /// Writes what waits of it and forgets it: its transfer has ended. Blocking.
  void drain(const std::shared_ptr<Arrival>& arrival);

  /// To be checked or written.
  [[nodiscard]] std::uint64_t waiting_bytes() const { return waiting_bytes_ + checking_bytes_; }
  /// Times that peers had to wait.
  [[nodiscard]] std::uint64_t waits() const { return waits_; }

 private:
  using Time = std::chrono::steady_clock::time_point;
  struct Work {
    std::shared_ptr<Arrival> arrival;
    std::uint64_t waiting = 0;  // Bytes; and since when the first of them does.
    Time since{};
    bool running = false;
    bool again = false;
    bool failed = false;
  };

  [[nodiscard]] bool due(const Work& work, Time now) const;
  void start(Work& work);
  void run(const Digest& digest);
  void written(Work& work, std::uint64_t bytes);
  void ease(std::unique_lock<std::mutex>& lock);

  const SwarmStoreConfig config_;
  const Failed failed_;
  PieceBuffers buffers_;

  std::mutex mutex_;  // Guards what follows; the numbers can be read without it.
  std::condition_variable idle_;
  std::map<Digest, Work> works_;
  std::vector<std::function<void()>> held_up_;
  std::atomic<std::uint64_t> waiting_bytes_{0};
  std::atomic<std::uint64_t> checking_bytes_{0};
  std::atomic<std::uint64_t> waits_{0};

  asio::thread_pool checking_;
  asio::thread_pool storing_;
};

}  // namespace shoal

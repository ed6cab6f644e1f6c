#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "storage/core.h"

namespace shoal {

/// The store's own threads: one collects, evicts, expires and frees, woken by poke() and at least
/// once a minute; one scrubs, if the configuration gives it a rate. Failures (a full disk, say) are
/// kept for the next round: nothing here ends the process.
class Background {
 public:
  /// All must outlive it.
  Background(StoreCore& core, Uploads& uploads, Arrivals& arrivals);
  /// Ends the threads and waits for them.
  ~Background();

  /// Asks for a round soon. Thread-safe, does not block.
  void poke();

 private:
  void tend();
  void scrub();
  /// Waits; false when it is time to end.
  [[nodiscard]] bool wait(std::chrono::seconds at_most, bool until_poked);

  StoreCore& core_;
  Uploads& uploads_;
  Arrivals& arrivals_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool poked_ = false;
  std::atomic<bool> stop_{false};
  std::thread tender_;
  std::thread scrubber_;
};

}  // namespace shoal

#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "storage/error.h"

namespace shoal {

/// Long work by name, on a few threads of its own: who asks for a name that is queued or under way
/// waits with those that asked before. Thread-safe.
class CopyJobs {
 public:
  /// Counts what was done so far, in steps that only mean "it moves".
  using Work =
      std::function<Result<void>(std::atomic<std::uint64_t>& steps, const std::atomic<bool>& stop)>;

  explicit CopyJobs(unsigned threads);
  /// Tells all work to stop and waits for it.
  ~CopyJobs();

  struct Standing {
    bool ended = false;
    std::optional<Error> error;  // Of work that ended.
    std::uint64_t steps = 0;
  };
  /// Starts the work unless it is there, and gives its standing at its end, or after `patience`.
  /// An end is told to everybody who waits for it, and once to somebody who asks later, within
  /// a minute. Fails with unavailable after stop().
  [[nodiscard]] Result<Standing> run(const std::string& name, Work work,
                                     std::chrono::milliseconds patience);

  /// Starts the work unless it is there; nobody is told how it ends.
  void start(const std::string& name, Work work);

  /// Names that are queued or under way.
  [[nodiscard]] std::size_t active() const;

  /// As the destructor; new work is refused from now on.
  void stop();

 private:
  struct Job {
    Work work;
    std::atomic<std::uint64_t> steps{0};
    bool ended = false;
    bool watched = false;  // Somebody will ask how it ended.
    unsigned waiters = 0;
    std::optional<Error> error;
    std::chrono::steady_clock::time_point end{};
  };
  std::shared_ptr<Job> find_or_queue(const std::string& name, Work work);
  void work_off();

  mutable std::mutex mutex_;  // Guards what is below, but for the jobs' steps.
  std::condition_variable queued_;
  std::condition_variable ended_;
  std::map<std::string, std::shared_ptr<Job>> jobs_;
  std::deque<std::string> queue_;
  std::atomic<bool> stop_{false};
  std::vector<std::thread> threads_;
};

}  // namespace shoal

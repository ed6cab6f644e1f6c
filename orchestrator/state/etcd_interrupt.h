#pragma once

#include <chrono>
#include <condition_variable>
#include <list>
#include <mutex>
#include <thread>

#include "registry/http/client.h"

namespace shoal {

/// Interrupts HTTP clients whose time is up: bounds a whole exchange, which HttpClient's own
/// timeout, of each wait, does not. Has a thread. Thread-safe.
class EtcdDeadlines {
 public:
  using Time = std::chrono::steady_clock::time_point;

  EtcdDeadlines();
  ~EtcdDeadlines();  // All guards must be gone.

  /// While it lives, `client` is interrupted when `at` comes.
  class Guard {
   public:
    Guard(EtcdDeadlines& deadlines, HttpClient& client, Time at);
    ~Guard();
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;
    [[nodiscard]] bool fired() const;

   private:
    friend class EtcdDeadlines;
    EtcdDeadlines& deadlines_;
    HttpClient& client_;
    Time at_;
    bool fired_ = false;
    std::list<Guard*>::iterator place_;
  };

 private:
  void run();

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::list<Guard*> guards_;
  bool stopping_ = false;
  std::thread thread_;
};

/// The wish that calls end, from any thread: what runs is interrupted, what would wait does not.
class EtcdCancel {
 public:
  using Time = EtcdDeadlines::Time;

  void cancel();
  [[nodiscard]] bool cancelled() const;
  /// Waits; whether it was cancelled.
  bool wait_until(Time at);

  /// While it lives, cancel() interrupts `client`. `cancel` may be null.
  class Guard {
   public:
    Guard(EtcdCancel* cancel, HttpClient& client);
    ~Guard();
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;

   private:
    EtcdCancel* cancel_;
  };

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  HttpClient* client_ = nullptr;  // One call at a time.
  bool cancelled_ = false;
};

}  // namespace shoal

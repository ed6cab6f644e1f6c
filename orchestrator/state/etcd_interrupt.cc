#include "orchestrator/state/etcd_interrupt.h"

#include <algorithm>

namespace shoal {

EtcdDeadlines::EtcdDeadlines() : thread_([this] { run(); }) {}

EtcdDeadlines::~EtcdDeadlines() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void EtcdDeadlines::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const auto now = std::chrono::steady_clock::now();
    auto next = Time::max();
    for (auto* guard : guards_) {
      if (guard->fired_) continue;
      if (guard->at_ <= now) {
        guard->fired_ = true;
        guard->client_.interrupt();
      } else {
        next = std::min(next, guard->at_);
      }
    }
    if (next == Time::max()) {
      changed_.wait(lock);
    } else {
      changed_.wait_until(lock, next);
    }
  }
}

EtcdDeadlines::Guard::Guard(EtcdDeadlines& deadlines, HttpClient& client, Time at)
    : deadlines_(deadlines), client_(client), at_(at) {
  const std::lock_guard lock(deadlines_.mutex_);
  // The thread sleeps until the earliest deadline it knows; a later one need not wake it.
  const bool earliest = std::all_of(deadlines_.guards_.begin(), deadlines_.guards_.end(),
                                    [&](const Guard* other) { return at_ < other->at_; });
  place_ = deadlines_.guards_.insert(deadlines_.guards_.end(), this);
  if (earliest) deadlines_.changed_.notify_one();
}

EtcdDeadlines::Guard::~Guard() {
  const std::lock_guard lock(deadlines_.mutex_);
  deadlines_.guards_.erase(place_);
}

bool EtcdDeadlines::Guard::fired() const {
  const std::lock_guard lock(deadlines_.mutex_);
  return fired_;
}

void EtcdCancel::cancel() {
  {
    const std::lock_guard lock(mutex_);
    cancelled_ = true;
    if (client_ != nullptr) client_->interrupt();
  }
  changed_.notify_all();
}

bool EtcdCancel::cancelled() const {
  const std::lock_guard lock(mutex_);
  return cancelled_;
}

bool EtcdCancel::wait_until(Time at) {
  std::unique_lock lock(mutex_);
  changed_.wait_until(lock, at, [this] { return cancelled_; });
  return cancelled_;
}

EtcdCancel::Guard::Guard(EtcdCancel* cancel, HttpClient& client) : cancel_(cancel) {
  if (cancel_ == nullptr) return;
  const std::lock_guard lock(cancel_->mutex_);
  cancel_->client_ = &client;
  if (cancel_->cancelled_) client.interrupt();
}

EtcdCancel::Guard::~Guard() {
  if (cancel_ == nullptr) return;
  const std::lock_guard lock(cancel_->mutex_);
  cancel_->client_ = nullptr;
}

}  // namespace shoal

#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <vector>

namespace shoal {

/// Those who want to hear of each change (Peers::subscribe says how). Thread-safe; the handles may
/// outlive it.
class Subscribers {
 public:
  [[nodiscard]] std::shared_ptr<void> add(std::function<void()> call) {
    const auto entry = std::make_shared<Entry>();
    entry->call = std::move(call);
    const std::lock_guard lock(mutex_);
    std::erase_if(entries_, [](const auto& weak) { return weak.expired(); });
    entries_.push_back(entry);
    return {entry.get(), [entry](void*) {
              // Waits for a call that is under way, and is the last to see the function.
              const std::lock_guard calling(entry->mutex);
              entry->call = nullptr;
            }};
  }

  void notify() {
    std::vector<std::weak_ptr<Entry>> entries;
    {
      const std::lock_guard lock(mutex_);
      entries = entries_;
    }
    for (const auto& weak : entries) {
      const auto entry = weak.lock();
      if (!entry) continue;
      const std::lock_guard calling(entry->mutex);
      if (entry->call) entry->call();
    }
  }

 private:
  struct Entry {
    std::mutex mutex;  // Held during the call.
    std::function<void()> call;
  };
  std::mutex mutex_;  // Guards the list.
  std::vector<std::weak_ptr<Entry>> entries_;
};

}  // namespace shoal

#pragma once

#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <stdexcept>
#include <string>
#include <variant>

#include "orchestrator/state/state.h"

namespace shoal {

/// The sink of a watch: what is there by its word, how often it began anew, and whether it ever
/// broke its promise of revisions that only grow.
class WatchLog {
 public:
  State::Sink sink() {
    return [this](const StateEvent& event) { take(event); };
  }

  template <class Condition>
  void wait_until(const std::string& what, const Condition& condition,
                  std::chrono::seconds limit = std::chrono::seconds(60)) {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, limit, condition)) throw std::runtime_error("no " + what);
  }
  void wait_for_value(const std::string& key, const std::string& value) {
    wait_until(key + " = " + value, [&] {
      const auto found = entries.find(key);
      return found != entries.end() && found->second == value;
    });
  }
  void wait_for_relists(int count) {
    wait_until("list", [&] { return relists >= count; });
  }
  [[nodiscard]] int relisted() {
    const std::lock_guard lock(mutex_);
    return relists;
  }

  // While a condition runs, or when the watch is over.
  std::map<std::string, std::string> entries;
  int relists = 0;
  int changes = 0;
  bool went_back = false;
  Revision revision = 0;

 private:
  void take(const StateEvent& event) {
    const std::lock_guard lock(mutex_);
    if (const auto* list = std::get_if<StateRelisted>(&event)) {
      entries.clear();
      for (const auto& entry : list->entries) entries[entry.key] = entry.value;
      ++relists;
      went_back = went_back || list->revision < revision;
      revision = list->revision;
    } else {
      const auto& changed = std::get<StateChanged>(event);
      went_back = went_back || changed.changes.empty();
      for (const auto& change : changed.changes) {
        // A transaction's changes have one revision and are never split over two events.
        went_back = went_back || change.entry.modified <= revision;
        if (change.erased) entries.erase(change.entry.key);
        if (!change.erased) entries[change.entry.key] = change.entry.value;
        ++changes;
      }
      revision = changed.revision;
    }
    changed_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
};

}  // namespace shoal

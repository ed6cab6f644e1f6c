#pragma once

#include <chrono>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "orchestrator/state/state.h"

namespace shoal {

/// The leases of the embedded state and the keys that go with each, in memory. A lease is alive,
/// then ended (its keys are being erased, nothing brings it back), then forgotten. Thread-safe;
/// never waits for the disk, so that a keep() does not either.
class LeaseTable {
 public:
  using Time = std::chrono::steady_clock::time_point;

  /// False when there is one of that id.
  [[nodiscard]] bool add(LeaseId id, std::chrono::seconds ttl, Time now);
  [[nodiscard]] bool alive(LeaseId id, Time now) const;
  /// Its time begins anew: how long that is. Nothing when it ended.
  [[nodiscard]] std::optional<std::chrono::seconds> keep(LeaseId id, Time now);

  /// A key names it, or no longer. An id that is unknown is nobody's.
  void attach(LeaseId id, const std::string& key);
  void detach(LeaseId id, const std::string& key);

  /// Ends one, or all whose time is over; false when there is none of that id.
  bool end(LeaseId id);
  void end_due(Time now);
  [[nodiscard]] std::vector<LeaseId> ended() const;
  void forget(LeaseId id);

  struct Facts {
    std::chrono::seconds granted;
    std::chrono::seconds left;
    std::vector<std::string> keys;
  };
  /// Nothing for one that ended or is unknown.
  [[nodiscard]] std::optional<Facts> facts(LeaseId id, Time now) const;
  /// Of one that ended too.
  [[nodiscard]] std::vector<std::string> keys(LeaseId id) const;

  /// When the next one ends, if nobody keeps it; nothing: there is none.
  [[nodiscard]] std::optional<Time> next_end() const;
  [[nodiscard]] std::size_t size() const;

 private:
  struct Lease {
    std::chrono::seconds ttl;
    Time end;
    bool ended = false;
    std::set<std::string> keys;

    [[nodiscard]] bool alive(Time now) const { return !ended && now < end; }
  };
  mutable std::mutex mutex_;
  std::unordered_map<LeaseId, Lease> leases_;
};

}  // namespace shoal

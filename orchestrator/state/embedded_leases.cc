#include "orchestrator/state/embedded_leases.h"

#include <algorithm>

namespace shoal {

bool LeaseTable::add(LeaseId id, std::chrono::seconds ttl, Time now) {
  const std::lock_guard lock(mutex_);
  return leases_.try_emplace(id, Lease{ttl, now + ttl, false, {}}).second;
}

bool LeaseTable::alive(LeaseId id, Time now) const {
  const std::lock_guard lock(mutex_);
  const auto found = leases_.find(id);
  return found != leases_.end() && found->second.alive(now);
}

std::optional<std::chrono::seconds> LeaseTable::keep(LeaseId id, Time now) {
  const std::lock_guard lock(mutex_);
  const auto found = leases_.find(id);
  if (found == leases_.end() || !found->second.alive(now)) return std::nullopt;
  found->second.end = now + found->second.ttl;
  return found->second.ttl;
}

void LeaseTable::attach(LeaseId id, const std::string& key) {
  const std::lock_guard lock(mutex_);
  const auto found = leases_.find(id);
  if (found != leases_.end()) found->second.keys.insert(key);
}

void LeaseTable::detach(LeaseId id, const std::string& key) {
  const std::lock_guard lock(mutex_);
  const auto found = leases_.find(id);
  if (found != leases_.end()) found->second.keys.erase(key);
}

bool LeaseTable::end(LeaseId id) {
  const std::lock_guard lock(mutex_);
  const auto found = leases_.find(id);
  if (found == leases_.end()) return false;
  found->second.ended = true;
  return true;
}

void LeaseTable::end_due(Time now) {
  const std::lock_guard lock(mutex_);
  for (auto& [id, lease] : leases_) lease.ended = !lease.alive(now);
}

std::vector<LeaseId> LeaseTable::ended() const {
  const std::lock_guard lock(mutex_);
  std::vector<LeaseId> ids;
  for (const auto& [id, lease] : leases_) {
    if (lease.ended) ids.push_back(id);
  }
  return ids;
}

void LeaseTable::forget(LeaseId id) {
  const std::lock_guard lock(mutex_);
  leases_.erase(id);
}

std::optional<LeaseTable::Facts> LeaseTable::facts(LeaseId id, Time now) const {
  const std::lock_guard lock(mutex_);
  const auto found = leases_.find(id);
  if (found == leases_.end() || !found->second.alive(now)) return std::nullopt;
  const auto& lease = found->second;
  return Facts{lease.ttl,
               std::chrono::duration_cast<std::chrono::seconds>(lease.end - now),
               {lease.keys.begin(), lease.keys.end()}};
}

std::vector<std::string> LeaseTable::keys(LeaseId id) const {
  const std::lock_guard lock(mutex_);
  const auto found = leases_.find(id);
  if (found == leases_.end()) return {};
  return {found->second.keys.begin(), found->second.keys.end()};
}

std::optional<LeaseTable::Time> LeaseTable::next_end() const {
  const std::lock_guard lock(mutex_);
  std::optional<Time> next;
  for (const auto& [id, lease] : leases_) {
    if (!lease.ended) next = next ? std::min(*next, lease.end) : lease.end;
  }
  return next;
}

std::size_t LeaseTable::size() const {
  const std::lock_guard lock(mutex_);
  return leases_.size();
}

}  // namespace shoal

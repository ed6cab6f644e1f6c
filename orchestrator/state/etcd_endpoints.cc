#include "orchestrator/state/etcd_endpoints.h"

#include <algorithm>
#include <random>

namespace shoal {
namespace {

constexpr std::chrono::seconds kPauseMin{1};
constexpr std::chrono::seconds kPauseMax{30};
constexpr std::chrono::seconds kPauseOfAllMax{5};

}  // namespace

EtcdEndpoints::EtcdEndpoints(std::vector<std::string> urls, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::shuffle(urls.begin(), urls.end(), random);
  for (auto& url : urls) endpoints_.push_back({std::move(url)});
}

EtcdEndpoints::Choice EtcdEndpoints::choose() const {
  const std::lock_guard lock(mutex_);
  std::size_t best = current_;
  auto away_since = Time::min();
  for (std::size_t step = 0; step < endpoints_.size(); ++step) {
    const auto index = (current_ + step) % endpoints_.size();
    const auto& endpoint = endpoints_[index];
    if (endpoint.not_before < endpoints_[best].not_before) best = index;
    away_since = std::max(away_since, endpoint.failures > 0 ? endpoint.failing_since : Time::max());
  }
  // The current one, if it never failed since it last worked, has the earliest time there is.
  Choice choice{best, endpoints_[best].not_before, away_since};
  if (away_since != Time::max()) {
    choice.not_before = std::min(choice.not_before, endpoints_[best].failed_at + kPauseOfAllMax);
  }
  return choice;
}

void EtcdEndpoints::worked(std::size_t index) {
  const std::lock_guard lock(mutex_);
  auto& endpoint = endpoints_[index];
  endpoint.failures = 0;
  endpoint.not_before = Time{};
  current_ = index;
}

void EtcdEndpoints::failed(std::size_t index, Time began, Time now) {
  const std::lock_guard lock(mutex_);
  auto& endpoint = endpoints_[index];
  if (endpoint.failures > 0 && began < endpoint.failed_at) return;
  const auto pause = kPauseMin * (1 << std::min(endpoint.failures, 5U));
  if (endpoint.failures == 0) endpoint.failing_since = began;
  ++endpoint.failures;
  endpoint.failed_at = now;
  endpoint.not_before = now + std::min<std::chrono::seconds>(pause, kPauseMax);
}

}  // namespace shoal

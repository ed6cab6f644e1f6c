#include "orchestrator/state/etcd_endpoints.h"

#include <algorithm>
#include <random>

namespace shoal {
namespace {

constexpr std::chrono::seconds kPauseMin{1};
constexpr std::chrono::seconds kPauseMax{30};

}  // namespace

EtcdEndpoints::EtcdEndpoints(std::vector<std::string> urls, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::shuffle(urls.begin(), urls.end(), random);
  for (auto& url : urls) endpoints_.push_back({std::move(url)});
}

EtcdEndpoints::Choice EtcdEndpoints::choose() const {
  const std::lock_guard lock(mutex_);
  std::size_t best = current_;
  for (std::size_t step = 1; step < endpoints_.size(); ++step) {
    const auto index = (current_ + step) % endpoints_.size();
    if (endpoints_[index].not_before < endpoints_[best].not_before) best = index;
  }
  // The current one, if it never failed since it last worked, has the earliest time there is.
  return {best, endpoints_[best].not_before};
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
  ++endpoint.failures;
  endpoint.failed_at = now;
  endpoint.not_before = now + std::min<std::chrono::seconds>(pause, kPauseMax);
}

}  // namespace shoal

#include "p2p/swarm/request_queue.h"

#include <algorithm>
#include <cmath>

#include "p2p/torrent.h"

namespace shoal {
namespace {

constexpr std::chrono::milliseconds kLookEvery{100};
// When the queue has been turned over twice in so little time, it is too short for what flows.
constexpr std::chrono::milliseconds kLookAtLeast{10};
// Beyond the round trip: a queue that is never quite empty.
constexpr std::chrono::milliseconds kSpare{15};
constexpr std::chrono::milliseconds kRoundTripMax{1000};
// A peer that paused says nothing of the link.
constexpr std::chrono::milliseconds kPause{500};

}  // namespace

std::optional<int> RequestQueue::sent(std::uint64_t bytes, Time now) {
  using Seconds = std::chrono::duration<double>;
  bytes_ += bytes;
  const auto elapsed = now - since_;
  const bool turned = bytes_ >= 2 * static_cast<std::uint64_t>(requests_) * kBlockBytes;
  if (elapsed < kLookEvery && (!turned || elapsed < kLookAtLeast)) return std::nullopt;
  const double rate = static_cast<double>(bytes_) / Seconds(elapsed).count();
  since_ = now;
  bytes_ = 0;
  if (elapsed > kPause) return std::nullopt;
  // Twice: a queue that holds the link up grows by that each time.
  const Seconds time =
      kSpare + 2 * std::min<std::chrono::steady_clock::duration>(round_trip_, kRoundTripMax);
  const double blocks = std::ceil(rate * time.count() / static_cast<double>(kBlockBytes));
  const int now_wanted = static_cast<int>(std::clamp<double>(blocks, kMin, kMax));
  // It grows by what two looks agree on: a burst into an empty link says nothing of its rate, and
  // who has the longer queue gets more of a link that several share.
  const int wanted = std::min(now_wanted, std::max(wanted_, requests_));
  wanted_ = now_wanted;
  if (std::abs(wanted - requests_) * 4 < requests_) return std::nullopt;
  requests_ = wanted;
  return requests_;
}

}  // namespace shoal

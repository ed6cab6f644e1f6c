#include "p2p/swarm/rate_shares.h"

#include <algorithm>
#include <map>

namespace shoal {
namespace {

constexpr std::uint64_t kRestMin = 256 << 10;  // Bytes a second, for each less urgent class,
constexpr std::uint64_t kRestShare = 10;       // or this part of all that comes.

}  // namespace

std::vector<std::uint64_t> share_rates(const std::vector<RateClaim>& claims,
                                       std::uint64_t copies_rate) {
  std::map<SwarmClass, std::uint64_t> count;
  std::uint64_t rate = 0;
  auto most_urgent = SwarmClass::replication;
  for (const auto& claim : claims) {
    ++count[claim.of_class];
    rate += claim.rate;
    if (claim.moves) most_urgent = std::min(most_urgent, claim.of_class);
  }
  std::vector<std::uint64_t> limits;
  for (const auto& claim : claims) {
    std::uint64_t limit = claim.of_class == SwarmClass::replication ? copies_rate : 0;
    if (claim.of_class > most_urgent) {
      const auto rest = std::max(kRestMin, rate / kRestShare);
      limit = limit == 0 ? rest : std::min(limit, rest);
    }
    if (limit > 0) limit = std::max<std::uint64_t>(limit / count[claim.of_class], 1);
    const auto now = claim.limit;
    const bool near = limit > now - now / 4 && limit < now + now / 4;
    limits.push_back(near ? now : limit);
  }
  return limits;
}

}  // namespace shoal

#include "p2p/hints.h"

#include <utility>

namespace shoal {
namespace {

// A hint lives for one to two of these: longer than an announcement takes.
constexpr std::chrono::seconds kGeneration{60};
constexpr std::size_t kDigestsMax = 100'000;  // Of a generation: about 16 MB.

}  // namespace

void Hints::age() {
  if (Steady::now() - young_.begun < kGeneration && young_.peers.size() < kDigestsMax) return;
  old_ = std::exchange(young_, Generation());
}

void Hints::add(const std::vector<Digest>& digests, const std::string& peer) {
  const std::lock_guard lock(mutex_);
  age();
  for (const auto& digest : digests) young_.peers[digest].insert(peer);
}

std::set<std::string> Hints::of(const Digest& digest) {
  const std::lock_guard lock(mutex_);
  age();
  std::set<std::string> peers;
  for (const auto* generation : {&young_, &old_}) {
    const auto found = generation->peers.find(digest);
    const bool known =
        found != generation->peers.end() && Steady::now() - generation->begun < 2 * kGeneration;
    if (known) peers.insert(found->second.begin(), found->second.end());
  }
  return peers;
}

}  // namespace shoal

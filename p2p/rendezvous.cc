#include "p2p/rendezvous.h"

#include <algorithm>
#include <utility>

#include "storage/codec.h"

namespace shoal {
namespace {

std::uint64_t mix(std::uint64_t x) {
  x ^= x >> 30;
  x *= 0xbf58476d1ce4e5b9;
  x ^= x >> 27;
  x *= 0x94d049bb133111eb;
  x ^= x >> 31;
  return x;
}

std::uint64_t seed_of(std::string_view id) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : id) {
    hash ^= static_cast<std::uint8_t>(c);
    hash *= 0x100000001b3;
  }
  return mix(hash);
}

}  // namespace

std::uint64_t rendezvous_word(const Digest& digest) {
  const auto hash = digest.hash();
  return read_big_endian({reinterpret_cast<const char*>(hash.data()), hash.size()});
}

std::uint64_t rendezvous_weight(std::uint64_t word, std::string_view peer) {
  return mix(word ^ seed_of(peer));
}

Rendezvous::Rendezvous(std::vector<std::string> ids) : ids_(std::move(ids)) {
  std::sort(ids_.begin(), ids_.end());
  ids_.erase(std::unique(ids_.begin(), ids_.end()), ids_.end());
  for (const auto& id : ids_) seeds_.push_back(seed_of(id));
}

bool Rendezvous::knows(const std::string& id) const {
  return std::binary_search(ids_.begin(), ids_.end(), id);
}

std::vector<std::uint32_t> Rendezvous::top(std::uint64_t word, std::size_t count) const {
  // `best` stays sorted; with the few that are asked for, insertion beats a heap.
  std::vector<std::pair<std::uint64_t, std::uint32_t>> best;
  best.reserve(count + 1);
  for (std::uint32_t i = 0; i < seeds_.size(); ++i) {
    const std::uint64_t weight = mix(word ^ seeds_[i]);
    if (best.size() >= count && (count == 0 || weight <= best.back().first)) continue;
    const auto place = std::find_if(best.begin(), best.end(),
                                    [weight](const auto& entry) { return entry.first < weight; });
    best.insert(place, {weight, i});
    if (best.size() > count) best.pop_back();
  }
  std::vector<std::uint32_t> indexes;
  indexes.reserve(best.size());
  for (const auto& entry : best) indexes.push_back(entry.second);
  return indexes;
}

std::vector<Peer> ranked(const Digest& digest, std::vector<Peer> peers) {
  const std::uint64_t word = rendezvous_word(digest);
  std::vector<std::pair<std::uint64_t, Peer>> weighed;
  weighed.reserve(peers.size());
  for (auto& peer : peers) {
    const auto weight = rendezvous_weight(word, peer.id);
    weighed.emplace_back(weight, std::move(peer));
  }
  std::sort(weighed.begin(), weighed.end(), [](const auto& a, const auto& b) {
    return a.first != b.first ? a.first > b.first : a.second.id < b.second.id;
  });
  std::vector<Peer> order;
  order.reserve(weighed.size());
  for (auto& entry : weighed) order.push_back(std::move(entry.second));
  return order;
}

}  // namespace shoal

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "p2p/peers.h"
#include "storage/digest.h"

namespace shoal {

// Which nodes a digest prefers: highest-random-weight hashing (Thaler and Ravishankar, 1998). Every
// node that knows the same peers comes to the same order, and a peer that comes or goes moves only
// the digests that it takes or leaves.
//
// The weight is a protocol between versions of this program. All arithmetic is modulo 2^64:
//
//   mix(x):  x ^= x >> 30;  x *= 0xbf58476d1ce4e5b9;  x ^= x >> 27;  x *= 0x94d049bb133111eb;
//            x ^= x >> 31                                   (the finalizer of splitmix64)
//   peer:    FNV-1a over the bytes of the id (offset 0xcbf29ce484222325, prime 0x100000001b3),
//            then mix
//   digest:  the first eight bytes of its hash, big-endian
//   weight:  mix(digest ^ peer)
//
// The peer with the highest weight is first; of equal weights, the one with the smaller id.

/// The eight bytes of a digest that decide.
[[nodiscard]] std::uint64_t rendezvous_word(const Digest& digest);

[[nodiscard]] std::uint64_t rendezvous_weight(std::uint64_t word, std::string_view peer);

/// Peers, prepared for many questions. Immutable; a copy is cheap enough to keep.
class Rendezvous {
 public:
  Rendezvous() = default;
  explicit Rendezvous(std::vector<std::string> ids);

  /// In order, without repetitions.
  [[nodiscard]] const std::vector<std::string>& ids() const { return ids_; }
  [[nodiscard]] bool knows(const std::string& id) const;

  /// The first `count` peers for a digest (all of them if they are fewer), best first, as indexes
  /// into ids(). Costs a few nanoseconds per peer.
  [[nodiscard]] std::vector<std::uint32_t> top(std::uint64_t word, std::size_t count) const;

 private:
  std::vector<std::string> ids_;
  std::vector<std::uint64_t> seeds_;  // By index.
};

/// All of `peers` in the order in which the digest prefers them.
[[nodiscard]] std::vector<Peer> ranked(const Digest& digest, std::vector<Peer> peers);

}  // namespace shoal

#pragma once

#include <cstdint>
#include <string_view>

namespace shoal {

// Highest-random-weight hashing (Thaler and Ravishankar, 1998), with the arithmetic of
// p2p/rendezvous.h: FNV-1a over the bytes, then the finalizer of splitmix64. The numbers decide
// where containers go, so they are the same in every version of this program.

[[nodiscard]] constexpr std::uint64_t mix(std::uint64_t x) {
  x ^= x >> 30;
  x *= 0xbf58476d1ce4e5b9;
  x ^= x >> 27;
  x *= 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

[[nodiscard]] constexpr std::uint64_t hash_of(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) {
    hash ^= static_cast<unsigned char>(c);
    hash *= 0x100000001b3;
  }
  return mix(hash);
}

}  // namespace shoal

#include "p2p/sha256_pair.h"

#include <cstddef>
#include <cstring>

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif

namespace shoal {

#if defined(__x86_64__)
namespace {

// Intel 64 and IA-32 Architectures Software Developer's Manual: CPUID, leaf 7, EBX.
constexpr unsigned kShaBit = 1U << 29;

#define SHOAL_SHA __attribute__((target("sha,ssse3,sse4.1")))

constexpr std::size_t kChunkBytes = 64;
constexpr std::size_t kLanes = 2;

// FIPS 180-4, 4.2.2.
alignas(16) constexpr std::uint32_t kRound[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

/// The state of one text, in the order in which the instructions want it.
struct Lane {
  __m128i abef;
  __m128i cdgh;
  __m128i words[4];  // Of the schedule: the last sixteen.
};

/// FIPS 180-4, 5.3.3.
SHOAL_SHA void begin(Lane& lane) {
  lane.abef = _mm_set_epi32(0x6a09e667, static_cast<int>(0xbb67ae85), 0x510e527f,
                            static_cast<int>(0x9b05688c));
  lane.cdgh = _mm_set_epi32(0x3c6ef372, static_cast<int>(0xa54ff53a), 0x1f83d9ab, 0x5be0cd19);
}

/// One chunk of each text. Written so that all rounds are unrolled, and the two lanes take turns.
SHOAL_SHA inline void compress(std::array<Lane, kLanes>& lanes,
                               const std::array<const char*, kLanes>& chunks) {
  const __m128i big_endian = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
  __m128i abef[kLanes];
  __m128i cdgh[kLanes];
  for (std::size_t lane = 0; lane < kLanes; ++lane) {
    abef[lane] = lanes[lane].abef;
    cdgh[lane] = lanes[lane].cdgh;
    for (std::size_t i = 0; i < 4; ++i) {
      const auto* const at = reinterpret_cast<const __m128i*>(chunks[lane] + 16 * i);
      lanes[lane].words[i] = _mm_shuffle_epi8(_mm_loadu_si128(at), big_endian);
    }
  }
#pragma GCC unroll 16
  for (std::size_t four = 0; four < 16; ++four) {
#pragma GCC unroll 2
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      auto& words = lanes[lane].words;
      __m128i& next = words[four % 4];
      const __m128i before = words[(four + 3) % 4];
      if (four >= 4) {
        next = _mm_sha256msg1_epu32(next, words[(four + 1) % 4]);
        next = _mm_add_epi32(next, _mm_alignr_epi8(before, words[(four + 2) % 4], 4));
        next = _mm_sha256msg2_epu32(next, before);
      }
      const auto* const round = reinterpret_cast<const __m128i*>(kRound + 4 * four);
      const __m128i sum = _mm_add_epi32(next, _mm_load_si128(round));
      cdgh[lane] = _mm_sha256rnds2_epu32(cdgh[lane], abef[lane], sum);
      abef[lane] = _mm_sha256rnds2_epu32(abef[lane], cdgh[lane], _mm_shuffle_epi32(sum, 0x0E));
    }
  }
  for (std::size_t lane = 0; lane < kLanes; ++lane) {
    lanes[lane].abef = _mm_add_epi32(lanes[lane].abef, abef[lane]);
    lanes[lane].cdgh = _mm_add_epi32(lanes[lane].cdgh, cdgh[lane]);
  }
}

/// From the instructions' order to the standard's: a to h, big-endian.
SHOAL_SHA void end(const Lane& lane, std::array<std::uint8_t, 32>& hash) {
  alignas(16) std::uint32_t feba[4];
  alignas(16) std::uint32_t hgdc[4];
  _mm_store_si128(reinterpret_cast<__m128i*>(feba), lane.abef);
  _mm_store_si128(reinterpret_cast<__m128i*>(hgdc), lane.cdgh);
  const std::uint32_t words[8] = {feba[3], feba[2], hgdc[3], hgdc[2],
                                  feba[1], feba[0], hgdc[1], hgdc[0]};
  for (std::size_t i = 0; i < hash.size(); ++i) {
    hash[i] = static_cast<std::uint8_t>(words[i / 4] >> (24 - 8 * (i % 4)));
  }
}

SHOAL_SHA void hash_pair(std::string_view a, std::string_view b,
                         std::array<std::uint8_t, 32>& hash_of_a,
                         std::array<std::uint8_t, 32>& hash_of_b) {
  std::array<Lane, kLanes> lanes;
  begin(lanes[0]);
  begin(lanes[1]);
  for (std::size_t at = 0; at < a.size(); at += kChunkBytes) {
    compress(lanes, {a.data() + at, b.data() + at});
  }
  // 5.1.1: a one, zeros, and the length in bits.
  std::array<char, kChunkBytes> last{};
  last[0] = static_cast<char>(0x80);
  const std::uint64_t bits = std::uint64_t{a.size()} * 8;
  for (std::size_t i = 0; i < 8; ++i) {
    last[kChunkBytes - 1 - i] = static_cast<char>(bits >> (8 * i));
  }
  compress(lanes, {last.data(), last.data()});
  end(lanes[0], hash_of_a);
  end(lanes[1], hash_of_b);
}

}  // namespace

bool has_sha256_pair() {
  static const bool has = [] {
    unsigned eax = 0;
    unsigned ebx = 0;
    unsigned ecx = 0;
    unsigned edx = 0;
    if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) == 0) return false;
    return (ebx & kShaBit) != 0 && __builtin_cpu_supports("ssse3") != 0 &&
           __builtin_cpu_supports("sse4.1") != 0;
  }();
  return has;
}

void sha256_pair(std::string_view a, std::string_view b, std::array<std::uint8_t, 32>& hash_of_a,
                 std::array<std::uint8_t, 32>& hash_of_b) {
  hash_pair(a, b, hash_of_a, hash_of_b);
}

#else

bool has_sha256_pair() { return false; }

void sha256_pair(std::string_view, std::string_view, std::array<std::uint8_t, 32>&,
                 std::array<std::uint8_t, 32>&) {}

#endif

}  // namespace shoal

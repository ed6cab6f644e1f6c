#pragma once

// The two messages of the directory, as bodies of POST /cluster/v1/directory/announce and /lookup.
//
// All numbers are big-endian. A digest is its key: one byte for the algorithm (1 SHA-256, 2
// SHA-512) and the hash. A name is one byte for its length and so many bytes.
//
//   announce  u8 version  u8 'A'  u8 flags (1: complete)  name holder  u64 boot  u64 epoch
//             u64 sequence  u32 adds  u32 removes  digests
//   answer    u8 version  u8 'a'  u8 flags (1: fresh, 2: full)  u64 boot
//   lookup    u8 version  u8 'L'  u8 flags (1: the asker fetches these)  u32 count  digests
//   answer    u8 version  u8 'l'  u64 boot  u32 age in seconds  u16 names  names
//             per digest: u8 count, and u16 indexes of names: its holders
//                         u8 count, and u16 indexes of names: others that fetch it
//
// Who asks is not said in a lookup: it is the node whose certificate the request came with.
//
// Parsers take exactly what encode() writes (the names of an answer in any order): another version,
// an unknown flag, a number above its limit, bytes that are missing or left over fail with
// bad_request, and nothing is allocated beyond what came.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "storage/digest.h"

namespace shoal {

inline constexpr std::size_t kAnnounceDigestsMax = 4096;
inline constexpr std::size_t kLookupDigestsMax = 4096;
inline constexpr std::size_t kLookupHoldersMax = 64;   // Per digest; of more, some are named.
inline constexpr std::size_t kLookupFetchersMax = 32;  // Likewise.
/// So many of the fetchers an asker turns to at first: those that are named first.
inline constexpr std::size_t kLookupFetchersFirst = 6;
inline constexpr std::size_t kDirectoryBodyBytesMax = 2 << 20;

/// "I hold these now, and no longer those."
struct Announce {
  std::string holder;          // Its node id.
  std::uint64_t boot = 0;      // Of the holder's process: another one says that it restarted.
  std::uint64_t epoch = 0;     // Grows whenever the holder starts over with this directory node.
  std::uint64_t sequence = 0;  // Grows with each message of an epoch: a late one is not taken.
  bool complete = false;  // All of the holder's share has been told in this epoch: what was told in
                          // earlier ones and not since is no longer there.
  std::vector<Digest> adds;
  std::vector<Digest> removes;

  bool operator==(const Announce&) const = default;
};

struct AnnounceAnswer {
  std::uint64_t boot = 0;  // Of the directory node's process.
  bool fresh = false;      // It knew nothing of this epoch: if more was told in it, tell it again.
  bool full = false;       // Its memory is used up, and some adds were not taken.

  bool operator==(const AnnounceAnswer&) const = default;
};

/// "Who has these?"
struct Lookup {
  std::vector<Digest> digests;
  bool fetches = false;  // The asker fetches them now, and may be named to others that do.

  bool operator==(const Lookup&) const = default;
};

struct LookupAnswer {
  std::uint64_t boot = 0;
  std::chrono::seconds age{};  // Since the directory node started: a young one may not know yet.
  std::vector<std::vector<std::string>> holders;  // Of each digest, in the order asked for.
  /// Likewise, as many: those that fetch it now, and may have parts of it. Named to askers that
  /// fetch it themselves.
  std::vector<std::vector<std::string>> fetchers;

  bool operator==(const LookupAnswer&) const = default;
};

/// The messages must be within the limits above.
[[nodiscard]] std::string encode(const Announce& message);
[[nodiscard]] std::string encode(const AnnounceAnswer& message);
[[nodiscard]] std::string encode(const Lookup& message);
[[nodiscard]] std::string encode(const LookupAnswer& message);

[[nodiscard]] Result<Announce> parse_announce(std::string_view body);
[[nodiscard]] Result<AnnounceAnswer> parse_announce_answer(std::string_view body);
[[nodiscard]] Result<Lookup> parse_lookup(std::string_view body);
/// `digests` is how many were asked for.
[[nodiscard]] Result<LookupAnswer> parse_lookup_answer(std::string_view body, std::size_t digests);

}  // namespace shoal

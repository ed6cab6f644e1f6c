#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "p2p/peers.h"
#include "storage/clock.h"
#include "storage/error.h"

namespace shoal {

/// What a machine has.
struct Capacity {
  std::uint64_t disk_bytes = 0;  // Of the file system that holds the store.
  std::uint64_t memory_bytes = 0;
  unsigned cores = 0;

  bool operator==(const Capacity&) const = default;
};

/// The container engine beside a node.
struct Engine {
  std::string kind;         // `docker` or `podman`.
  std::string version;      // `20.10.24`
  std::string api_version;  // Of Docker's API, `1.41`.

  bool operator==(const Engine&) const = default;
};

/// A node that joined: the value of its key below `nodes/`, JSON, about half a kilobyte.
struct Member {
  std::string id;                             // Never changes; the name in its certificate.
  std::vector<std::string> urls;              // `https://10.0.0.7:5001`, in order of preference.
  std::map<std::string, std::string> labels;  // `dc` -> `west`.
  Capacity capacity;
  std::optional<Engine> engine;
  std::string version;  // Of shoal.
  UnixTime joined{};
  bool holds_state = false;  // It serves the cluster's embedded state.
  bool authority = false;    // It has the cluster's authority, and signs.

  bool operator==(const Member&) const = default;
};

inline constexpr std::size_t kMemberUrlsMax = 16;
inline constexpr std::size_t kMemberLabelsMax = 64;

[[nodiscard]] std::string to_json(const Member& member);
/// Checks what it takes over; unknown fields are left out, so that versions can live side by side.
/// The id may be missing (a node that is about to join has one, a stranger's text may not).
/// Fails with bad_request.
[[nodiscard]] Result<Member> parse_member(std::string_view json);

/// A key and a value of a label: letters, digits, `.`, `_`, `/` and `-`, at most 63 of them; the
/// value may be empty. Fails with bad_request.
[[nodiscard]] Result<void> check_label(std::string_view key, std::string_view value);

/// `dc=west`. Fails with usage.
[[nodiscard]] Result<std::pair<std::string, std::string>> parse_label(std::string_view text);

/// As the swarm sees it.
[[nodiscard]] Peer to_peer(const Member& member);

}  // namespace shoal

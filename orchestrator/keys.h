#pragma once

// The keys of the cluster state: who writes them, and what they hold. Values are JSON but where
// said.
//
//   cluster                  first node       id, created, authority's fingerprint
//   members/nodes/<id>       that node        the member record (membership/member.h)
//   members/live/<id> leased that node        boot id; while it is there, the node lives
//   members/removed/<id>     `shoal node rm`  when; certificates of that node are refused
//   members/drain/<id>       `shoal node drain`
//   tokens/<id>              `shoal token`    hash of a join token, expiry, uses left
//   leader            leased candidates       node id (plain text); see Election
//   repos/<repository>       any node         when it was first pushed to
//   tags/<repository>:<tag>  any node, by compare-and-set: digest, media type, size, who, when
//
// What every member follows is below `members/`, so that one watch is enough for it and a removal
// arrives as a whole. A repository's name contains `/`, never `:`; so a prefix selects the tags of
// one repository.

#include <optional>
#include <string>
#include <string_view>

#include "storage/name.h"

namespace shoal::state_keys {

inline constexpr const char* kCluster = "cluster";
inline constexpr const char* kLeader = "leader";
inline constexpr const char* kMembers = "members/";
inline constexpr const char* kNodes = "members/nodes/";
inline constexpr const char* kLive = "members/live/";
inline constexpr const char* kRemoved = "members/removed/";
inline constexpr const char* kDrain = "members/drain/";
inline constexpr const char* kTokens = "tokens/";
inline constexpr const char* kRepositories = "repos/";
inline constexpr const char* kTags = "tags/";

[[nodiscard]] std::string node(std::string_view id);
[[nodiscard]] std::string live(std::string_view id);
[[nodiscard]] std::string removed(std::string_view id);
[[nodiscard]] std::string drain(std::string_view id);
[[nodiscard]] std::string token(std::string_view id);
[[nodiscard]] std::string repository(const Repository& name);
[[nodiscard]] std::string tags(const Repository& name);
[[nodiscard]] std::string tag(const Repository& name, const std::string& tag);

struct TagKey {
  std::string repository;
  std::string tag;
};
/// Nothing when `key` is not a tag's.
[[nodiscard]] std::optional<TagKey> parse_tag(std::string_view key);

}  // namespace shoal::state_keys

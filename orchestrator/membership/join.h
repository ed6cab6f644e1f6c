#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "orchestrator/membership/member.h"
#include "orchestrator/trust/join_token.h"
#include "orchestrator/trust/node_identity.h"

namespace shoal {

/// Where a cluster's state is.
struct StateLocation {
  std::string driver;                  // `embedded` or `etcd`.
  std::vector<std::string> endpoints;  // URLs; of the embedded state: of the node that serves it.
  std::string peer;                    // Embedded: that node's id, the name in its certificate.

  bool operator==(const StateLocation&) const = default;
};

// POST /cluster/v1/join, by a node that has no certificate yet:
//   {"token":"shoal1....","csr":"-----BEGIN CERTIFICATE REQUEST-----...","member":{...}}
// The member (member.h) comes with the id that it wants to have. The answer:
//   {"certificate":"PEM","authority":"PEM",
//    "state":{"driver":"embedded","endpoints":["https://10.0.0.1:5001"],"peer":"n-..."},
//    "members":[{...}]}
inline constexpr std::size_t kJoinBytesMax = 64 << 10;

struct JoinRequest {
  JoinToken token;
  std::string csr_pem;
  Member member;
};
/// Takes a stranger's text apart. Fails with bad_request, or with denied when what is wrong is the
/// token.
[[nodiscard]] Result<JoinRequest> parse_join_request(std::string_view json);
[[nodiscard]] std::string to_json(const JoinRequest& request);

struct JoinAnswer {
  std::string certificate_pem;
  std::string authority_pem;
  StateLocation state;
  std::vector<Member> members;
};
/// Fails with io.
[[nodiscard]] Result<JoinAnswer> parse_join_answer(std::string_view json);
[[nodiscard]] std::string to_json(const JoinAnswer& answer);

struct JoinConfig {
  std::vector<std::string> urls;  // Of members: `https://HOST:PORT`, `HOST:PORT` or `HOST` (5001).
  std::string token;
  Member member;                 // Without an id: it gets a new one.
  std::filesystem::path folder;  // Where the identity is kept.
  std::chrono::seconds progress_timeout{30};
};

struct Joined {
  NodeIdentity identity;
  StateLocation state;
  std::vector<Member> members;
};

/// Makes a key, and asks the members in turn for a certificate, over TLS that trusts nobody but the
/// authority of the token's fingerprint. On return the identity is saved.
/// Fails with usage (the token's text, an address), denied (the cluster refused: its reason; or
/// nobody who answers is of the token's cluster), unavailable (no member answers: why, for each
/// address), bad_request, io or disk_full.
[[nodiscard]] Result<Joined> join(const JoinConfig& config);

}  // namespace shoal

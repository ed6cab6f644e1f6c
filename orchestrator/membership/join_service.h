#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include <boost/asio/thread_pool.hpp>

#include "orchestrator/membership/join.h"
#include "orchestrator/membership/membership.h"
#include "orchestrator/trust/authority.h"
#include "orchestrator/trust/tokens.h"
#include "registry/http/message.h"

namespace shoal {

struct JoinServiceConfig {
  std::chrono::seconds lifetime = kCertificateLifetime;  // Of the certificates it signs.
  double joins_per_second = 5;                           // On average; more are answered 429.
  double joins_at_once = 20;
};

/// What a JoinService works with; all of it must outlive the service.
struct JoinParts {
  State& state;
  Membership& membership;
  Tokens& tokens;
  const Authority* authority = nullptr;  // Null: join and renew are passed on to who has it.
  std::shared_ptr<TlsContext> tls;       // As a client, to other members.
  asio::thread_pool& pool;               // Where blocking calls run.
  std::function<StateLocation()> location;
};

// POST /cluster/v1/renew, by a member or by one that passes it on:
//   {"certificate":"PEM, the one in use","csr":"PEM, signed by its key"}
// The answer: {"certificate":"PEM"}, for the same node.

/// The cluster port's join and renewal. Thread-safe.
class JoinService {
 public:
  explicit JoinService(JoinParts parts, JoinServiceConfig config = {});
  ~JoinService();

  /// POST /cluster/v1/join, see join.h; from strangers. 403 with the reason when the token is
  /// refused, 429 when too many join at once, 503 when nobody who has the authority answers.
  [[nodiscard]] asio::awaitable<Response> join(Request& request);
  /// POST /cluster/v1/renew; the caller has let members through alone (ClusterGuard).
  [[nodiscard]] asio::awaitable<Response> renew(Request& request);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Asks for the next certificate of the key behind `identity`: the members in turn, those with the
/// authority first. Blocking. Fails with denied (this node is no member any more), unavailable or
/// io.
[[nodiscard]] Result<std::string> renew_certificate(const NodeIdentity& identity,
                                                    const Membership& membership,
                                                    const std::shared_ptr<TlsContext>& tls);

}  // namespace shoal

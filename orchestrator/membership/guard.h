#pragma once

#include <optional>

#include <boost/asio/thread_pool.hpp>

#include "orchestrator/membership/membership.h"
#include "registry/http/message.h"

namespace shoal {

inline constexpr const char* kJoinPath = "/cluster/v1/join";
inline constexpr const char* kRenewPath = "/cluster/v1/renew";

/// Stands before every path of the cluster's port: TLS has verified the certificate, this says
/// whether its node is a member now. Thread-safe.
class ClusterGuard {
 public:
  /// Both must outlive it. What has to be asked of the state is asked on `pool`.
  ClusterGuard(Membership& membership, asio::thread_pool& pool)
      : membership_(membership), pool_(pool) {}

  /// Nothing: the request may pass. Else the answer to it: 403 without a certificate (but for
  /// POST /cluster/v1/join), for a removed node and for one that is no member, 503 where that
  /// cannot be found out now. A refused connection ends.
  [[nodiscard]] asio::awaitable<std::optional<Response>> refuse(const Request& request);

 private:
  Membership& membership_;
  asio::thread_pool& pool_;
};

}  // namespace shoal

#include "orchestrator/membership/guard.h"

#include <utility>

#include "registry/disk.h"
#include "registry/error_response.h"

namespace shoal {
namespace {

std::optional<Response> refusal_of(const Error& error) {
  auto response = error_response(error);
  response.close = true;
  return response;
}

}  // namespace

asio::awaitable<std::optional<Response>> ClusterGuard::refuse(const Request& request) {
  if (request.peer.empty()) {
    if (request.method == Method::post && request.path == kJoinPath) co_return std::nullopt;
    const Error error{Errc::denied,
                      "this port serves the members of the cluster alone: show a "
                      "certificate of its authority"};
    co_return refusal_of(error);
  }
  if (membership_.is_member(request.peer)) co_return std::nullopt;
  const auto ask = [this, id = request.peer] { return membership_.admit(id); };
  const auto admitted = co_await on_disk(pool_, ask);
  if (admitted) co_return std::nullopt;
  co_return refusal_of(admitted.error());
}

}  // namespace shoal

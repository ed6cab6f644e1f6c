#pragma once

#include <string>

#include <boost/asio/thread_pool.hpp>

#include "orchestrator/membership/membership.h"
#include "orchestrator/trust/tokens.h"
#include "registry/http/message.h"

namespace shoal {

/// What people call a node: its label `name`, or its id.
[[nodiscard]] std::string name_of(const Member& member);

/// NODE, as below.
[[nodiscard]] std::string to_json(const NodeView& view);

/// The cluster's members and join tokens in the node's own API, JSON, on the loopback port of every
/// member. Below `/shoal/v1/cluster/`:
///
///   POST   tokens?ttl=86400&uses=1     ttl in seconds (a day), uses 1 to 1000 (1)
///     201  {"token":"shoal1....","id":"16 hex digits","expires":"2026-11-22T04:56:07Z","uses":1}
///   GET    nodes
///     200  {"nodes":[NODE...]}         sorted by id
///   GET    nodes/<id>
///     200  NODE
///   POST   nodes/<id>/labels           the body: {"dc":"west","old":null}; null takes one away
///     200  NODE
///   POST   nodes/<id>/drain?on=true    or on=false
///     200  {"id":"n-...","drained":true}
///   DELETE nodes/<id>                  refuses its certificate from now on, for ever
///     200  {"id":"n-...","removed":true}
///
///   NODE   {"id":"n-...","name":"host-a","urls":["https://10.0.0.1:5001"],"labels":{"dc":"west"},
///           "capacity":{"disk_bytes":1,"memory_bytes":1,"cores":1},
///           "engine":{"kind":"docker","version":"20.10.24","api_version":"1.41"} or null,
///           "version":"0.1.0","joined":"2026-11-22T04:56:07Z","holds_state":true,
///           "authority":true,"live":true,"drained":false,"self":true}
///
/// Errors are documents as those of the registry API: 404 no such node, 400 bad parameters, 409 a
/// node that the cluster cannot do without, 429 too many tokens, 503 the state is away. Reading
/// nodes works while it is. Thread-safe.
/// `name` is the label of that name, or else the id.
class MembershipApi {
 public:
  /// All must outlive it. What blocks runs on `pool`.
  MembershipApi(State& state, Membership& membership, Tokens& tokens, asio::thread_pool& pool)
      : state_(state), membership_(membership), tokens_(tokens), pool_(pool) {}

  /// Answers one request whose path begins with `/shoal/v1/cluster/`. Never fails.
  [[nodiscard]] asio::awaitable<Response> serve(Request& request);

 private:
  [[nodiscard]] asio::awaitable<Response> create_token(const Request& request);
  [[nodiscard]] asio::awaitable<Response> serve_node(Request& request, std::string id);
  [[nodiscard]] asio::awaitable<Response> label(Request& request, std::string id);
  [[nodiscard]] asio::awaitable<Response> drain(const Request& request, std::string id);

  State& state_;
  Membership& membership_;
  Tokens& tokens_;
  asio::thread_pool& pool_;
};

}  // namespace shoal

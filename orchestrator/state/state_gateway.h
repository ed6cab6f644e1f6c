#pragma once

#include <memory>

#include <boost/asio/thread_pool.hpp>

#include "orchestrator/state/embedded_state.h"
#include "orchestrator/state/gateway_watch.h"
#include "registry/http/message.h"

namespace shoal {

/// Serves an embedded state to the cluster's members in the dialect of etcd's v3 JSON gateway:
/// kv/range, kv/put, kv/deleterange, kv/txn, watch, lease/grant, keepalive, revoke, timetolive and
/// maintenance/status below `/v3/`, as far as EtcdState and `etcdctl`-like tools need them. What it
/// does not know it refuses with 501 and code 12. Thread-safe.
class StateGateway {
 public:
  /// Both must outlive it. Blocking calls run on `pool`, and so does `admit`: a watch of a peer
  /// that is not admitted any more ends, for that was asked when it began alone.
  StateGateway(EmbeddedState& state, asio::thread_pool& pool, AdmitPeer admit);
  ~StateGateway();

  /// Answers one request whose path begins with `/v3/`; the caller has checked who asks.
  [[nodiscard]] asio::awaitable<Response> serve(Request& request);

  /// Ends all watches; new ones are refused. Before the server stops: its loops must still exist.
  void stop();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace shoal

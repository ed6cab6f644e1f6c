#pragma once

#include <functional>
#include <memory>
#include <string>

#include <boost/asio/thread_pool.hpp>

#include "orchestrator/state/embedded_state.h"
#include "orchestrator/state/gateway_requests.h"
#include "registry/http/message.h"

namespace shoal {

inline constexpr std::size_t kWatchesPerPeerMax = 256;

/// Whether a peer, by the name in its certificate, may go on; may block.
using AdmitPeer = std::function<bool(const std::string& peer)>;

/// The watches of the gateway's clients: streams of JSON lines. One that waits costs its connection
/// and a timer, no thread. A quiet one gets a line every 10 s, so that a connection whose other end
/// vanished is found out by what cannot be sent. Thread-safe.
class GatewayWatches {
 public:
  /// Both must outlive the streams; reads of the history, and `admit`, run on `pool`.
  GatewayWatches(EmbeddedState& state, asio::thread_pool& pool, AdmitPeer admit);

  /// A body that says `created`, then the changes, until the client goes, the history is missed or
  /// the peer is not admitted any more (the last line says so), or stop(). The latter is found out
  /// with the next change, or after 10 s. Fails with too_many for `peer`, or unavailable.
  [[nodiscard]] Result<std::unique_ptr<ResponseBody>> open(const WatchRequest& request,
                                                           const std::string& peer,
                                                           const asio::any_io_executor& executor);

  /// Ends all streams, and refuses new ones. The streams' executors must still exist.
  void stop();

 private:
  struct Stream;
  struct Hub;
  class Body;

  EmbeddedState& state_;
  asio::thread_pool& pool_;
  const AdmitPeer admit_;
  std::shared_ptr<Hub> hub_;
};

}  // namespace shoal

#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "p2p/peers.h"
#include "registry/http/client.h"

namespace shoal {

struct PeerClientsConfig {
  std::shared_ptr<TlsContext> tls;            // Shows this node's certificate.
  std::chrono::seconds progress_timeout{10};  // A wait without a byte for so long: timed_out.
  /// An address that did not answer is asked last for so long, and not at all if another request
  /// has just found that none of a peer's addresses answers.
  std::chrono::milliseconds failure_memory{3000};
  std::size_t idle_per_peer_max = 8;  // Connections that are kept for the next request.
};

/// An answer whose body is read as it comes.
class PeerStream {
 public:
  virtual ~PeerStream() = default;

  [[nodiscard]] virtual const HttpClient::Head& head() const = 0;
  /// As HttpClient::read_body(). The connection is used again if the body was read to its end.
  [[nodiscard]] virtual Result<std::size_t> read(std::span<char> buffer) = 0;
};

/// Requests to other nodes, by their ids: over connections that are kept, to the first of a peer's
/// addresses that answers, and to nobody but that peer (its certificate carries its id).
///
/// Thread-safe; calls block. Fail with member_unknown (no such live peer) and as HttpClient does.
/// A request may reach the peer twice when the first answer was lost: use what may be repeated.
class PeerClients {
 public:
  /// `peers` must outlive it.
  PeerClients(PeerClientsConfig config, Peers& peers);
  /// No call may be under way, and all streams must be gone.
  ~PeerClients();

  [[nodiscard]] Result<HttpAnswer> send(const std::string& peer, std::string_view method,
                                        std::string_view target, const Headers& headers = {},
                                        std::string_view body = {},
                                        std::uint64_t body_bytes_max = 4 << 20);

  /// Sends a request and reads the answer's head.
  [[nodiscard]] Result<std::unique_ptr<PeerStream>> open(const std::string& peer,
                                                         std::string_view method,
                                                         std::string_view target,
                                                         const Headers& headers = {});

  /// All calls that are under way, and all later ones, fail soon with unavailable: this node stops.
  void interrupt();
  /// Connections that were made since the start.
  [[nodiscard]] std::uint64_t connections() const;
  /// Waits for so long; false at once after interrupt().
  [[nodiscard]] bool pause(std::chrono::milliseconds duration);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace shoal

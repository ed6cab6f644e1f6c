#pragma once

#include <chrono>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "registry/http/message.h"

namespace shoal {

/// What a client tells a tracker (BEP 3, "Trackers").
struct TrackerAnnounce {
  std::string info_hash;  // 20 bytes.
  std::uint16_t port = 0;
  bool stopped = false;     // It leaves.
  std::size_t wanted = 50;  // Others, at most.

  /// From the query. Fails with bad_request, and says which parameter is wrong.
  [[nodiscard]] static Result<TrackerAnnounce> parse(const Request& request);
};

/// Which clients of BitTorrent on this host take part in which torrent, as they say themselves.
/// Thread-safe; does not block.
class Tracker {
 public:
  /// So often clients shall announce themselves; who is silent for twice as long is forgotten.
  explicit Tracker(std::chrono::seconds interval) : interval_(interval) {}

  /// Where one listens.
  struct Client {
    std::string address;  // IPv4.
    std::uint16_t port = 0;
    auto operator<=>(const Client&) const = default;
  };

  /// Notes the client, and gives the answer, bencoded: the others, in the compact form (BEP 23), or
  /// a failure() when there are too many of them. `self`: the node, if it takes part.
  [[nodiscard]] std::string announce(const TrackerAnnounce& announce, const Client& client,
                                     const std::optional<Client>& self);

  /// The answer to what is refused.
  [[nodiscard]] static std::string failure(std::string_view reason);

 private:
  using Steady = std::chrono::steady_clock;

  void forget(Steady::time_point before);

  const std::chrono::seconds interval_;
  std::mutex mutex_;
  // Guarded by the mutex.
  Steady::time_point next_forget_ = Steady::now();
  /// By info hash: when each said something last.
  std::map<std::string, std::map<Client, Steady::time_point>> torrents_;
};

}  // namespace shoal

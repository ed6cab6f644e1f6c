#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <string_view>

namespace shoal {

/// How long small messages of BitTorrent may wait for something that they can travel with: a host
/// tells each of its peers of each piece (BEP 3's `have`), and asks for blocks one by one
/// (`request`). Without that most of the packets of a swarm of twenty carry a few bytes, each
/// through four sockets and as many threads. Announcements may wait for as long as two pieces take
/// to come to this node, since whoever is told of it has others to ask for meanwhile; requests for
/// an eighth of that, which is little beside the blocks that are on their way.
///
/// Thread-safe; never blocks.
class HaveHold {
 public:
  using Time = std::chrono::steady_clock::time_point;

  static constexpr std::chrono::milliseconds kMost{100};
  /// About a piece.
  static constexpr std::uint64_t kPieceBytes = 256 << 10;

  /// For bytes that are to be sent; zero if they are anything else than such messages, whole.
  /// `received_bytes`: what the node received of all content so far.
  [[nodiscard]] std::chrono::milliseconds of(std::string_view bytes, std::uint64_t received_bytes,
                                             Time now);

  enum class Talk : std::uint8_t { other, haves, requests };
  /// What this is: whole messages of these kinds (requests, if there is one among them), or
  /// anything else.
  [[nodiscard]] static Talk talk(std::string_view bytes);

 private:
  std::mutex mutex_;  // Guards what follows.
  Time since_{};
  std::uint64_t bytes_ = 0;  // As of then.
  std::chrono::milliseconds hold_{0};
};

}  // namespace shoal

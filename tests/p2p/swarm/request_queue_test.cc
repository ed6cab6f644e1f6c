#include "p2p/swarm/request_queue.h"

#include <catch2/catch.hpp>

#include "p2p/torrent.h"

namespace shoal {
namespace {

using std::chrono::milliseconds;

/// A peer whose requests are answered at a fixed rate, in a model of time.
struct Link {
  RequestQueue::Time now{};
  RequestQueue queue{now};

  /// Sends for so long; `blocks_per_second` whatever the queue, as on a slow link.
  void send(milliseconds duration, double blocks_per_second) {
    const auto gap = std::chrono::nanoseconds(static_cast<std::int64_t>(1e9 / blocks_per_second));
    for (const auto end = now + duration; now < end;) {
      now += gap;
      static_cast<void>(queue.sent(kBlockBytes, now));
    }
  }
  /// Each request takes `round_trip`, and the link has no limit.
  void send_unlimited(milliseconds duration, milliseconds round_trip) {
    for (const auto end = now + duration; now < end;) {
      const auto in_flight = queue.requests();
      now += round_trip;
      for (int i = 0; i < in_flight; ++i) static_cast<void>(queue.sent(kBlockBytes, now));
    }
  }
};

TEST_CASE("A request queue is as long as the link is fast", "[p2p][swarm]") {
  Link slow;
  slow.send(milliseconds(2000), 95);  // 12.5 Mbit/s: an eighth of a 100 Mbit/s link.
  CHECK(slow.queue.requests() == RequestQueue::kMin);
  Link medium;
  medium.send(milliseconds(2000), 7600);  // 1 Gbit/s.
  CHECK(medium.queue.requests() > 80);
  CHECK(medium.queue.requests() < 200);
  medium.send(milliseconds(2000), 95);
  CHECK(medium.queue.requests() <= RequestQueue::kMin + 1);
}

TEST_CASE("A queue that holds a fast link up grows within moments", "[p2p][swarm]") {
  Link near;
  near.send_unlimited(milliseconds(150), milliseconds(1));
  CHECK(near.queue.requests() == RequestQueue::kMax);
}

TEST_CASE("A distant peer has as much on its way as the distance takes", "[p2p][swarm]") {
  Link far;
  far.queue.set_round_trip(milliseconds(100));
  far.send_unlimited(milliseconds(6000), milliseconds(100));
  CHECK(far.queue.requests() > 100);
}

TEST_CASE("A pause says nothing of a link", "[p2p][swarm]") {
  Link link;
  link.send(milliseconds(1000), 7600);
  const auto before = link.queue.requests();
  link.now += milliseconds(5000);
  CHECK_FALSE(link.queue.sent(kBlockBytes, link.now));
  CHECK(link.queue.requests() == before);
}

}  // namespace
}  // namespace shoal

#include "p2p/swarm/tracker.h"

#include <catch2/catch.hpp>

#include "tests/p2p/cluster.h"

namespace shoal {
namespace {

using Client = Tracker::Client;

const std::string kHash = "01234567890123456789";

TrackerAnnounce announce_of(const std::string& hash, std::uint16_t port) {
  TrackerAnnounce announce;
  announce.info_hash = hash;
  announce.port = port;
  return announce;
}

/// The peers of an answer, six bytes each.
std::string peers_of(const std::string& answer) {
  const auto at = answer.find("5:peers");
  REQUIRE(at != answer.npos);
  const auto colon = answer.find(':', at + 7);
  return answer.substr(colon + 1, std::stoul(answer.substr(at + 7)));
}

std::string compact(std::uint8_t last, std::uint16_t port) {
  std::string text{127, 0, 0, static_cast<char>(last)};
  return text + static_cast<char>(port >> 8) + static_cast<char>(port & 0xFF);
}

TEST_CASE("A tracker tells each client of the others, and of the node", "[p2p][swarm][tracker]") {
  Tracker tracker(std::chrono::seconds(60));
  const Client self{"127.0.0.1", 6881};
  CHECK(tracker.announce(announce_of(kHash, 1000), {"127.0.0.2", 1000}, std::nullopt) ==
        "d8:intervali60e5:peers0:e");
  CHECK(peers_of(tracker.announce(announce_of(kHash, 0x1234), {"127.0.0.3", 0x1234}, self)) ==
        compact(1, 6881) + compact(2, 1000));
  // The node itself is one of them when it asks.
  CHECK(peers_of(tracker.announce(announce_of(kHash, 6881), self, self)) ==
        compact(2, 1000) + compact(3, 0x1234));
  const std::string other = kHash.substr(1) + 'x';
  CHECK(peers_of(tracker.announce(announce_of(other, 1000), {"127.0.0.2", 1000}, std::nullopt)) ==
        "");
  auto few = announce_of(kHash, 1000);
  few.wanted = 1;
  CHECK(peers_of(tracker.announce(few, {"127.0.0.2", 1000}, self)) == compact(1, 6881));
}

TEST_CASE("Who stops, or is silent for long, is forgotten", "[p2p][swarm][tracker]") {
  Tracker tracker(std::chrono::seconds(0));
  const Client first{"127.0.0.2", 1000};
  const Client second{"127.0.0.3", 1000};
  (void)tracker.announce(announce_of(kHash, 1000), first, std::nullopt);
  CHECK(eventually([&] {
    return peers_of(tracker.announce(announce_of(kHash, 1000), second, std::nullopt)).empty();
  }));

  Tracker patient(std::chrono::seconds(60));
  (void)patient.announce(announce_of(kHash, 1000), first, std::nullopt);
  auto stopped = announce_of(kHash, 1000);
  stopped.stopped = true;
  (void)patient.announce(stopped, first, std::nullopt);
  CHECK(peers_of(patient.announce(announce_of(kHash, 1000), second, std::nullopt)).empty());
}

TEST_CASE("A tracker takes so many clients, and no more", "[p2p][swarm][tracker]") {
  Tracker tracker(std::chrono::seconds(60));
  const auto refused = [&](const std::string& hash, std::uint16_t port) {
    return tracker.announce(announce_of(hash, port), {"127.0.0.2", port}, std::nullopt)
        .starts_with("d14:failure reason");
  };
  for (std::uint16_t port = 1; port <= 200; ++port) CHECK_FALSE(refused(kHash, port));
  CHECK(refused(kHash, 201));
  CHECK_FALSE(refused(kHash, 7));
  for (int i = 0; i < 999; ++i) CHECK_FALSE(refused("12345678901234567" + std::to_string(i), 1));
  CHECK(refused("another one, 20 byte", 1));
  CHECK_FALSE(refused(kHash, 7));
}

TEST_CASE("What a client says wrong is named", "[p2p][swarm][tracker]") {
  const auto parse = [](std::vector<std::pair<std::string, std::string>> query) {
    Request request;
    request.query = std::move(query);
    return TrackerAnnounce::parse(request);
  };
  const auto good =
      parse({{"info_hash", kHash}, {"port", "65535"}, {"numwant", "7"}, {"event", "stopped"}});
  REQUIRE(good);
  CHECK(good->info_hash == kHash);
  CHECK(good->port == 65535);
  CHECK(good->wanted == 7);
  CHECK(good->stopped);
  CHECK(parse({{"info_hash", kHash}, {"port", "1"}, {"numwant", "1000000"}})->wanted == 50);
  CHECK(parse({{"port", "1"}}).error().message.find("info_hash") != std::string::npos);
  CHECK(parse({{"info_hash", "short"}, {"port", "1"}}).error().code == Errc::bad_request);
  for (const auto* port : {"", "0", "65536", "x"}) {
    CAPTURE(port);
    CHECK(parse({{"info_hash", kHash}, {"port", port}}).error().message.find("port") !=
          std::string::npos);
  }
}

}  // namespace
}  // namespace shoal

#include "p2p/peer_clients.h"

#include <catch2/catch.hpp>

#include "tests/p2p/cluster.h"

namespace shoal {
namespace {

TEST_CASE("A peer is reached at the first of its addresses that is it", "[p2p][clients]") {
  TestCluster cluster(3);
  const auto digest = cluster[1].push("blob");
  const auto target = "/cluster/v1/blobs/" + digest.to_string();
  PeerSet set{"n0", {cluster[0].peer(), cluster[1].peer()}};
  const auto closed = [] {  // A port that nobody listens on any more.
    TestAuthority authority;
    TestNode gone(authority, "gone", {});
    return "https://" + gone.address;
  }();
  const auto another = "https://" + cluster[2].address;
  set.peers[1].urls = {closed, another, "https://" + cluster[1].address};
  cluster[0].peers.set(set);

  for (int i = 0; i < 3; ++i) {
    const auto answer = cluster[0].clients->send("n1", "GET", target);
    INFO((answer ? std::string() : answer.error().message));
    REQUIRE(answer);
    CHECK(answer->body == "blob");
  }
  CHECK(cluster[2].faults.gets == 0);  // It showed the wrong certificate: nothing was said to it.
}

TEST_CASE("A peer with another name, or none, is not spoken to", "[p2p][clients]") {
  TestCluster cluster(2);
  PeerSet set{"n0", {cluster[0].peer(), cluster[1].peer()}};
  set.peers[1].urls = {"https://" + cluster[0].address};
  cluster[0].peers.set(set);
  const auto answer = cluster[0].clients->send("n1", "GET", "/cluster/v1/blobs/x");
  REQUIRE_FALSE(answer);
  CHECK(answer.error().code == Errc::denied);
  CHECK(answer.error().message.starts_with("node n1: "));
  const auto unknown = cluster[0].clients->send("n7", "GET", "/");
  REQUIRE_FALSE(unknown);
  CHECK(unknown.error().code == Errc::member_unknown);
}

TEST_CASE("A failure is remembered for a moment, and no longer", "[p2p][clients]") {
  TestCluster cluster(2);
  const auto target = "/cluster/v1/blobs/" + Digest::of("x").to_string();
  cluster[1].stop();
  const auto first = cluster[0].clients->send("n1", "HEAD", target);
  REQUIRE_FALSE(first);
  CHECK(first.error().code == Errc::unavailable);
  cluster[1].start();
  CHECK(eventually([&] { return cluster[0].clients->send("n1", "HEAD", target).has_value(); }));
}

TEST_CASE("A connection is used again, also after a streamed answer", "[p2p][clients]") {
  auto config = TestCluster::quick();
  config.announces = false;
  TestCluster cluster(2, config);
  const auto content = random_bytes(300 << 10, 5);
  const auto target = "/cluster/v1/blobs/" + cluster[1].push(content).to_string();
  for (int i = 0; i < 5; ++i) {
    auto stream = cluster[0].clients->open("n1", "GET", target);
    REQUIRE(stream);
    CHECK((*stream)->head().status == 200);
    std::string body(content.size(), '\0');
    const auto count = (*stream)->read(body);
    REQUIRE(count);
    CHECK(body == content);
    stream->reset();
    CHECK(cluster[0].clients->send("n1", "HEAD", target));
  }
  CHECK(cluster[0].clients->connections() == 1);
  auto left = cluster[0].clients->open("n1", "GET", target);  // Left in the middle: not used again.
  REQUIRE(left);
  left->reset();
  CHECK(cluster[0].clients->send("n1", "HEAD", target));
  CHECK(cluster[0].clients->connections() == 2);
}

TEST_CASE("Nothing is waited for once this node stops", "[p2p][clients]") {
  auto config = TestCluster::quick();
  config.announces = false;
  TestCluster cluster(2, config);
  const auto digest = cluster[1].push(random_bytes(1 << 20, 5));
  cluster[1].faults.after = 100 << 10;
  cluster[1].faults.kind = Faults::stalls;
  auto stream = cluster[0].clients->open("n1", "GET", "/cluster/v1/blobs/" + digest.to_string());
  REQUIRE(stream);
  std::string body(1 << 20, '\0');
  std::thread reader([&] {
    const auto count = (*stream)->read(body);
    CHECK_FALSE(count);
  });
  CHECK(cluster[0].clients->pause(std::chrono::milliseconds(1)));
  cluster[0].clients->interrupt();
  reader.join();
  stream->reset();
  CHECK_FALSE(cluster[0].clients->pause(std::chrono::hours(1)));
  const auto later = cluster[0].clients->send("n1", "GET", "/");
  REQUIRE_FALSE(later);
  CHECK(later.error().code == Errc::unavailable);
}

}  // namespace
}  // namespace shoal

#include "p2p/swarm/swarm.h"

#include <future>

#include <catch2/catch.hpp>

#include "tests/p2p/cluster.h"

namespace shoal {
namespace {

using std::chrono::milliseconds;

TestNodeConfig with_swarm() {
  auto config = TestCluster::quick();
  SwarmConfig swarm;
  swarm.transfers.stall = milliseconds(300);
  swarm.transfers.progress_timeout = milliseconds(3000);
  config.swarm = swarm;
  return config;
}

/// `n0` wants what `n1` and `n2` hold.
struct SwarmTest {
  explicit SwarmTest(TestNodeConfig config = with_swarm())
      : cluster(3, std::move(config)), node(cluster[0]) {}

  Digest push(const std::string& content) {
    const auto digest = cluster[1].push(content);
    REQUIRE(cluster[2].push(content) == digest);
    cluster[1].flush();
    cluster[2].flush();
    // Nodes of these tests wait for it but shortly, and would go on by HTTPS.
    for (const int holder : {1, 2}) {
      if (content.size() >= kSwarmBytesMin)
        CHECK(eventually([&] { return shares(holder, digest); }));
    }
    return digest;
  }
  bool shares(int holder, const Digest& digest) {
    const auto torrent = cluster[holder].store->blobs().attachment(digest);
    return torrent && *torrent;
  }
  void fetch(const Digest& digest) { fetch_blob(node, name, digest); }
  std::shared_ptr<BlobReader> open(const Digest& digest) { return open_blob(node, name, digest); }
  SwarmTransfers::Counts counts() { return node.swarm->totals().transfers; }

  TestCluster cluster;
  TestNode& node;
  const Repository name = repo("team/app");
};

TEST_CASE_METHOD(SwarmTest, "Content comes by the swarm from its size on", "[p2p][swarm]") {
  const auto size = GENERATE(as<std::size_t>(), kSwarmBytesMin - 1, kSwarmBytesMin, (9 << 20) + 3);
  CAPTURE(size);
  const auto content = random_bytes(size, size);
  const auto digest = push(content);
  SECTION("by fetch()") { fetch(digest); }
  SECTION("by a reader that comes to its end") { CHECK(read_all(*open(digest)) == content); }
  CHECK(read_blob(*node.store, name, digest) == content);
  const bool by_swarm = size >= kSwarmBytesMin;
  CHECK(counts().finished == (by_swarm ? 1 : 0));
  CHECK(counts().https_bytes == 0);
  CHECK(node.fetch->status().stored == 1);
  CHECK(node.store->usage().arrivals == 0);
  if (!by_swarm) return;
  const auto ended = node.swarm->ended();
  REQUIRE(ended.size() == 1);
  CHECK(ended[0].digest == digest);
  std::uint64_t from_nodes = 0;
  for (const auto& [source, bytes] : ended[0].sources) {
    CHECK((source == "n1" || source == "n2"));
    from_nodes += bytes;
  }
  CHECK(from_nodes >= size);
  // And goes on from here.
  CHECK(read_all(**cluster[1].fetch->open(repo("other"), digest)) == content);
}

TEST_CASE_METHOD(SwarmTest, "All readers of some content share one transfer", "[p2p][swarm]") {
  const auto content = random_bytes(12 << 20, 1);
  const auto digest = push(content);
  std::vector<std::thread> readers;
  std::atomic<int> right{0};
  for (int i = 0; i < 20; ++i) {
    readers.emplace_back([&, i] {
      auto reader = node.fetch->open(repo("r" + std::to_string(i % 3)), digest);
      if (!reader) return;
      std::string read;
      // Some read it all, the others from where they like.
      std::uint64_t at = i % 2 == 0 ? 0 : static_cast<std::uint64_t>(i) * 500'000;
      const auto start = at;
      while (at < content.size()) {
        const auto bytes = (*reader)->read(at, SIZE_MAX, Wait::yes);
        if (!bytes) return;
        read += bytes->view();
        at += bytes->view().size();
      }
      if (read == content.substr(start)) ++right;
    });
  }
  for (auto& reader : readers) reader.join();
  CHECK(right == 20);
  CHECK(counts().finished == 1);
  const auto received = node.swarm->totals().received_bytes;
  CHECK(received < content.size() * 5 / 4);
}

TEST_CASE_METHOD(SwarmTest, "What BitTorrent does not bring comes over HTTPS", "[p2p][swarm]") {
  const auto content = random_bytes(5 << 20, 2);
  const auto digest = push(content);
  cluster[1].no_tunnels = cluster[2].no_tunnels = true;
  CHECK(read_all(*open(digest)) == content);
  CHECK(counts().finished == 1);
  CHECK(counts().https_bytes == content.size());
  CHECK(read_blob(*node.store, name, digest) == content);
}

TEST_CASE_METHOD(SwarmTest, "A transfer that nobody helps ends with its reason", "[p2p][swarm]") {
  const auto content = random_bytes(5 << 20, 3);
  const auto digest = push(content);
  for (const std::size_t i : {1, 2}) {
    cluster[i].no_tunnels = true;
    cluster[i].faults.kind = Faults::missing;
  }
  const auto fetched = node.fetch->fetch(name, digest);
  REQUIRE_FALSE(fetched);
  CHECK((fetched.error().code == Errc::timed_out || fetched.error().code == Errc::blob_unknown));
  CHECK(fetched.error().message.find(digest.to_string()) != std::string::npos);
  CHECK(counts().failed == 1);
  CHECK(counts().now == 0);

  cluster[1].no_tunnels = false;
  fetch(digest);
  CHECK(read_blob(*node.store, name, digest) == content);
}

TEST_CASE_METHOD(SwarmTest, "A torrent of other content is refused, and another node is asked",
                 "[p2p][swarm]") {
  const bool plausible = GENERATE(true, false);
  const std::size_t size = (5 << 20) + 1;
  const auto other = random_bytes(size, 99);
  std::vector<std::string> contents;
  for (std::uint64_t seed = 0; seed < 4; ++seed) contents.push_back(random_bytes(size, seed));
  std::vector<Digest> digests;
  for (const auto& content : contents) digests.push_back(push(content));
  TorrentMaker maker(Digest::of(other), other.size());
  maker.update(other);
  const auto lie = maker.finish().encode();
  cluster[1].torrent_lie = plausible ? lie : "no torrent at all";
  for (std::size_t i = 0; i < contents.size(); ++i) {
    fetch(digests[i]);
    CHECK(read_blob(*node.store, name, digests[i]) == contents[i]);
  }
  CHECK(counts().finished == contents.size());
}

TEST_CASE_METHOD(SwarmTest, "A whole image is begun at once and joined later", "[p2p][swarm]") {
  std::vector<std::string> contents;
  std::vector<Digest> digests;
  for (std::uint64_t seed = 0; seed < 6; ++seed) {
    contents.push_back(random_bytes((3 << 20) + seed, seed));
    digests.push_back(push(contents.back()));
  }
  digests.push_back(push("small"));
  digests.push_back(Digest::of("nobody has it"));
  node.fetch->begin(name, digests);
  for (std::size_t i = 0; i < contents.size(); ++i) {
    CHECK(read_all(*open(digests[i])) == contents[i]);
  }
  CHECK(eventually([&] { return counts().finished == contents.size() && counts().now == 0; }));
  CHECK(counts().failed == 0);
}

struct IdleTest : SwarmTest {
  IdleTest() : SwarmTest(quickly_idle()) {}
  static TestNodeConfig quickly_idle() {
    auto config = with_swarm();
    config.swarm->idle = milliseconds(200);
    return config;
  }
};

TEST_CASE_METHOD(IdleTest, "What nobody uses leaves the session and comes back", "[p2p][swarm]") {
  const auto content = random_bytes(3 << 20, 4);
  const auto digest = push(content);
  fetch(digest);
  const auto none = [&] {
    for (const auto& one : cluster.nodes) {
      const auto totals = one->swarm->totals();
      if (totals.torrents != 0 || totals.tunnels != 0) return false;
    }
    return true;
  };
  CHECK(eventually(none));
  auto& late = cluster.add();
  cluster.meet();
  REQUIRE(late.fetch->fetch(name, digest));
  CHECK(read_blob(*late.store, name, digest) == content);
  CHECK(eventually(none));
}

struct SlowCopiesTest : SwarmTest {
  SlowCopiesTest() : SwarmTest(slowly()) {}
  static TestNodeConfig slowly() {
    auto config = with_swarm();
    config.swarm->session.rates.receive_copies = 16 << 10;  // An hour for what follows.
    return config;
  }
};

TEST_CASE_METHOD(SlowCopiesTest, "A copy is slow until a client waits for it", "[p2p][swarm]") {
  const auto content = random_bytes(64 << 20, 7);
  const auto digest = push(content);
  Result<void> copied = fail(Errc::io, "not yet");
  std::thread copier([&] { copied = node.fetch->fetch(name, digest, SwarmClass::replication); });
  std::shared_ptr<SwarmTransfer> copying;
  CHECK(eventually([&] {
    copying = node.swarm->find(digest);
    return copying != nullptr;
  }));
  if (copying) CHECK(copying->of_class() == SwarmClass::replication);
  CHECK(read_all(*open(digest)) == content);
  copier.join();
  CHECK(copied);
}

struct NarrowLinkTest : SwarmTest {
  NarrowLinkTest() : SwarmTest(narrow()) {}
  static TestNodeConfig narrow() {
    auto config = with_swarm();
    config.swarm->session.rates.receive = 16 << 20;
    return config;
  }
};

TEST_CASE_METHOD(NarrowLinkTest, "What a client waits for overtakes a copy", "[p2p][swarm]") {
  const auto copy = push(random_bytes(96 << 20, 8));
  const auto wanted = push(random_bytes(24 << 20, 9));
  const std::jthread copier([&] { (void)node.fetch->fetch(name, copy, SwarmClass::replication); });
  std::shared_ptr<SwarmTransfer> copying;
  CHECK(eventually([&] {
    copying = node.swarm->find(copy);
    return copying && copying->arrival()->arrived_bytes() > 0;
  }));
  const auto arrived = [&] { return copying ? copying->arrival()->arrived_bytes() : 0; };
  auto fetching =
      std::async(std::launch::async, [&] { return node.fetch->fetch(name, wanted).has_value(); });
  CHECK(eventually([&] {  // Its first piece: how long connections take is no matter here.
    const auto coming = node.swarm->find(wanted);
    return coming && coming->arrival()->arrived_bytes() > 0;
  }));
  const auto before = arrived();
  const bool fetched = fetching.get();
  const auto meanwhile = arrived() - before;
  CHECK(fetched);
  CHECK(copying);
  CHECK_FALSE(copying->ended());
  CHECK(meanwhile < (24 << 20) / 4);  // A tenth, where it would be half.
  node.swarm->interrupt();
}

TEST_CASE_METHOD(NarrowLinkTest, "A full link does not keep anybody from holders over HTTPS",
                 "[p2p][swarm]") {
  const auto large = cluster[1].push(random_bytes(200 << 20, 10));
  const auto wanted = cluster[2].push(random_bytes(3 << 20, 11));
  cluster[1].flush();
  cluster[2].flush();
  CHECK(eventually([&] { return shares(1, large) && shares(2, wanted); }));
  cluster[2].no_tunnels = true;
  const std::jthread other([&] { (void)node.fetch->fetch(name, large); });
  CHECK(eventually([&] {
    const auto now = node.swarm->view();
    return now.size() == 1 && now[0].receive_rate >= (16 << 20) / 2;
  }));
  CHECK(node.fetch->fetch(name, wanted));
  CHECK(node.swarm->find(large));
  CHECK(counts().https_bytes >= 3 << 20);
  node.swarm->interrupt();
}

TEST_CASE_METHOD(SwarmTest, "Content that is deleted is not shared any more", "[p2p][swarm]") {
  const auto content = random_bytes(3 << 20, 5);
  const auto digest = push(content);
  fetch(digest);
  CHECK(cluster[1].swarm->totals().torrents + cluster[2].swarm->totals().torrents > 0);
  for (const std::size_t i : {1, 2}) {
    REQUIRE(cluster[i].store->blobs().remove(name, digest));
    CHECK(eventually([&] { return cluster[i].swarm->totals().torrents == 0; }));
  }
}

TEST_CASE_METHOD(SwarmTest, "A stop ends transfers, and the next start goes on with them",
                 "[p2p][swarm]") {
  const auto content = random_bytes(40 << 20, 6);
  const auto digest = push(content);
  auto reader = open(digest);
  REQUIRE(reader->read(0, 1000, Wait::yes));
  reader.reset();
  node.stop();
  node.start();
  cluster.meet();
  fetch(digest);
  CHECK(read_blob(*node.store, name, digest) == content);
}

}  // namespace
}  // namespace shoal

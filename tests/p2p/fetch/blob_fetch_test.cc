#include "p2p/fetch/blob_fetch.h"

#include <catch2/catch.hpp>

#include "tests/p2p/cluster.h"

namespace shoal {
namespace {

/// `n0` wants what `n1` and `n2` hold; announcements are left out, since the cluster is small.
struct FetchTest {
  explicit FetchTest(TestNodeConfig config = without_announcements())
      : cluster(3, std::move(config)), node(cluster[0]) {}
  static TestNodeConfig without_announcements() {
    auto config = TestCluster::quick();
    config.announces = false;
    config.fetch.stall = std::chrono::milliseconds(500);
    return config;
  }
  /// On `n1` and `n2`.
  Digest push(const std::string& content) {
    const auto digest = cluster[1].push(content);
    REQUIRE(cluster[2].push(content) == digest);
    return digest;
  }
  void fetch(const Digest& digest) { fetch_blob(node, name, digest); }
  std::shared_ptr<BlobReader> open(const Digest& digest) { return open_blob(node, name, digest); }
  bool nothing_left() {
    return eventually([this] {
      const auto usage = node.store->usage();
      return usage.uploads == 0 && usage.upload_bytes == 0 && usage.blobs == 0;
    });
  }
  std::uint64_t gets() { return cluster[1].faults.gets + cluster[2].faults.gets; }

  TestCluster cluster;
  TestNode& node;
  const Repository name = repo("team/app");
};

TEST_CASE_METHOD(FetchTest, "A blob of any size is brought here", "[p2p][fetch]") {
  const std::size_t size = GENERATE(std::size_t{0}, std::size_t{1}, std::size_t{65'536},
                                    std::size_t{65'537}, std::size_t{7'654'321});
  CAPTURE(size);
  const auto content = random_bytes(size, size);
  const auto digest = push(content);
  const auto info = node.fetch->stat(digest);
  REQUIRE(info);
  CHECK(info->size == size);
  SECTION("by fetch()") { fetch(digest); }
  SECTION("by a reader that comes to its end") { CHECK(read_all(*open(digest)) == content); }
  CHECK(read_blob(*node.store, name, digest) == content);
  CHECK(node.fetch->status().stored == 1);
  CHECK(node.fetch->status().bytes == size);
  CHECK(node.store->usage().uploads == 0);

  const auto asked = gets();
  fetch(digest);
  CHECK(read_all(*open(digest)) == content);
  REQUIRE(node.fetch->fetch(repo("other"), digest));
  CHECK(read_blob(*node.store, repo("other"), digest) == content);
  CHECK(gets() == asked);  // It is here.
}

TEST_CASE_METHOD(FetchTest, "A blob with a SHA-512 digest is brought here", "[p2p][fetch]") {
  const auto digest = Digest::of("content", Algorithm::sha512);
  REQUIRE(cluster[1].store->uploads().put(name, digest, "content"));
  fetch(digest);
  CHECK(read_blob(*node.store, name, digest) == "content");
}

TEST_CASE_METHOD(FetchTest, "A reader that is left in the middle leaves nothing", "[p2p][fetch]") {
  const auto content = random_bytes(6 << 20, 1);
  const auto digest = push(content);
  auto reader = open(digest);
  std::uint64_t offset = 0;
  const std::uint64_t until = GENERATE(0, 1, 300'000, 5 << 20);
  while (offset < until) {
    const auto bytes = reader->read(offset, SIZE_MAX, Wait::yes);
    REQUIRE(bytes);
    offset += bytes->view().size();
  }
  reader.reset();
  CHECK(nothing_left());
  CHECK(node.fetch->status().transfers == 0);
  fetch(digest);
}

TEST_CASE_METHOD(FetchTest, "Ranges are read and not stored", "[p2p][fetch]") {
  const auto content = random_bytes(3 << 20, 1);
  const auto digest = push(content);
  const auto reader = open(digest);
  for (const std::uint64_t offset : {1'000'000, 2'000'000, 0, 10}) {
    const auto bytes = reader->read(offset, 1000, Wait::yes);
    REQUIRE(bytes);
    CHECK(bytes->view() == std::string_view(content).substr(offset, 1000));
  }
  const auto waiting = reader->read(0, 10, Wait::no);
  REQUIRE_FALSE(waiting);
  CHECK(waiting.error().code == Errc::would_block);
  CHECK(nothing_left());

  const auto other = open(digest);  // It begins at the start, and then leaps.
  CHECK(other->read(0, 1000, Wait::yes));
  CHECK(node.fetch->status().transfers == 1);
  CHECK(other->read(5000, 1000, Wait::yes));
  CHECK(node.fetch->status().transfers == 0);
  CHECK(nothing_left());
}

TEST_CASE_METHOD(FetchTest,
                 "A holder that fails in the middle costs neither the client nor the copy",
                 "[p2p][fetch]") {
  const auto content = random_bytes(6 << 20, 1);
  const auto digest = push(content);
  cluster[1].faults.after = 5 << 20;
  cluster[2].faults.after = 3 << 20;  // They take turns until one is healed.
  cluster[1].faults.kind = cluster[2].faults.kind = GENERATE(Faults::closes, Faults::stalls);
  std::thread healer([&] {
    const bool met = eventually([&] { return gets() >= 5; });
    cluster[2].faults.kind = Faults::none;
    CHECK(met);
  });
  SECTION("by fetch()") { fetch(digest); }
  SECTION("by a reader") { CHECK(read_all(*open(digest)) == content); }
  healer.join();
  CHECK(read_blob(*node.store, name, digest) == content);
}

TEST_CASE_METHOD(FetchTest, "Content that nobody has is unknown; who does not answer is named",
                 "[p2p][fetch]") {
  const auto digest = Digest::of("nowhere");
  CHECK(node.fetch->fetch(name, digest).error().code == Errc::blob_unknown);
  CHECK(node.fetch->open(name, digest).error().code == Errc::blob_unknown);
  CHECK(node.fetch->stat(digest).error().code == Errc::blob_unknown);
  cluster[1].stop();
  CHECK(node.fetch->stat(digest).error().code == Errc::unavailable);
  CHECK(nothing_left());
}

TEST_CASE_METHOD(FetchTest, "Wrong content is thrown away, its holder barred and another one asked",
                 "[p2p][fetch]") {
  const std::size_t size = GENERATE(10, 1 << 20);
  const auto content = random_bytes(size, 1);
  const auto digest = push(content);
  cluster[1].faults.kind = Faults::lies;
  for (int i = 0; i < 5; ++i) {  // Whoever is asked first.
    fetch(digest);
    CHECK(read_blob(*node.store, name, digest) == content);
    CHECK(node.fetch->status().wrong <= 1);
    REQUIRE(node.store->blobs().remove(name, digest));
  }
  SECTION("when there is no other, that is what the error says") {
    cluster[2].faults.kind = Faults::lies;
    const auto fetched = node.fetch->fetch(name, digest);
    REQUIRE_FALSE(fetched);
    CHECK(fetched.error().code == Errc::unavailable);
    CHECK(fetched.error().message.find("gave wrong content: ") != std::string::npos);
    CHECK(nothing_left());
  }
}

TEST_CASE_METHOD(FetchTest, "A client never comes to the end of wrong content", "[p2p][fetch]") {
  const std::size_t size = GENERATE(10, 1 << 20);
  const auto content = random_bytes(size, 1);
  const auto digest = cluster[1].push(content);
  cluster[1].faults.kind = Faults::lies;
  const auto reader = open(digest);
  std::uint64_t offset = 0;
  Result<BlobBytes> bytes;
  while (offset < size && (bytes = reader->read(offset, SIZE_MAX, Wait::yes))) {
    offset += bytes->view().size();
  }
  CHECK(offset < size);
  CHECK(bytes.error().code == Errc::digest_invalid);
  CHECK(nothing_left());
  REQUIRE(cluster[2].push(content) == digest);  // Its next try finds another holder.
  CHECK(read_all(*open(digest)) == content);
  CHECK(node.holds(digest));
}

TEST_CASE("A full disk costs the copy and not the client", "[p2p][fetch]") {
  FetchTest test;
  const auto content = random_bytes(8 << 20, 1);
  const auto digest = test.push(content);
  auto expected = Errc::quota_exceeded;
  test.node.stop();
  SECTION("by a quota") { test.node.config.store.quota_bytes = 4 << 20; }
  SECTION("by the disk") {
    test.node.config.store.reserve_bytes = std::uint64_t{1} << 60;
    expected = Errc::disk_full;
  }
  test.node.start();
  CHECK(read_all(*test.open(digest)) == content);
  CHECK(test.nothing_left());
  const auto fetched = test.node.fetch->fetch(test.name, digest);
  REQUIRE_FALSE(fetched);
  CHECK(fetched.error().code == expected);
  CHECK(test.nothing_left());
}

TEST_CASE_METHOD(FetchTest, "Twenty readers of one blob all get it, and it is stored once",
                 "[p2p][fetch]") {
  const auto content = random_bytes(3 << 20, 1);
  const auto digest = push(content);
  std::vector<std::shared_ptr<BlobReader>> readers;
  for (int i = 0; i < 20; ++i) readers.push_back(open(digest));
  std::atomic<int> right{0};
  std::vector<std::thread> threads;
  for (const auto& reader : readers) {
    threads.emplace_back([&right, &content, &reader] {
      std::string bytes;
      while (bytes.size() < content.size()) {
        const auto piece = reader->read(bytes.size(), SIZE_MAX, Wait::yes);
        if (!piece) return;
        bytes += piece->view();
      }
      if (bytes == content) ++right;
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(right == 20);
  CHECK(node.fetch->status().stored == 1);
  CHECK(read_blob(*node.store, name, digest) == content);
}

TEST_CASE_METHOD(FetchTest, "Twenty fetches of one blob are one transfer", "[p2p][fetch]") {
  const auto content = random_bytes(3 << 20, 1);
  const auto digest = push(content);
  std::atomic<int> right{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 20; ++i) {
    threads.emplace_back([&, i] {
      const auto here = repo("team/app" + std::to_string(i));
      const auto done = node.fetch->fetch(here, digest);
      if (done && node.store->blobs().stat(here, digest, Wait::yes)) ++right;
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(right == 20);
  CHECK(node.fetch->status().stored == 1);
  CHECK(cluster[1].faults.bytes + cluster[2].faults.bytes == content.size());
}

TEST_CASE_METHOD(FetchTest, "Who waits for a reader that leaves, or that sleeps, fetches by itself",
                 "[p2p][fetch]") {
  const auto content = random_bytes(3 << 20, 1);
  const auto digest = push(content);
  auto reader = open(digest);
  REQUIRE(reader->read(0, SIZE_MAX, Wait::yes));
  CHECK(node.fetch->status().transfers == 1);
  std::thread waiter([&] { fetch(digest); });
  SECTION("it leaves") { reader.reset(); }
  SECTION("it sleeps, and gets its bytes all the same when it wakes") {
    REQUIRE(eventually([&] { return node.holds(digest); }));
    std::string bytes = content.substr(0, 256 << 10);
    while (bytes.size() < content.size()) {
      const auto piece = reader->read(bytes.size(), SIZE_MAX, Wait::yes);
      REQUIRE(piece);
      bytes += piece->view();
    }
    CHECK(bytes == content);
  }
  waiter.join();
  reader.reset();
  CHECK(read_blob(*node.store, name, digest) == content);
  CHECK(eventually([&] { return node.store->usage().uploads == 0; }));
}

TEST_CASE_METHOD(FetchTest, "Who waits for a fetch that fails gets its error", "[p2p][fetch]") {
  const auto digest = push(random_bytes(3 << 20, 1));
  cluster[1].faults.kind = cluster[2].faults.kind = Faults::closes;
  cluster[1].faults.after = cluster[2].faults.after = 1'000'001;
  std::atomic<int> failed{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      const auto fetched = node.fetch->fetch(name, digest);
      if (!fetched && fetched.error().code == Errc::io) ++failed;
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(failed == 4);
  CHECK(nothing_left());
}

TEST_CASE("What was fetched is announced, and the next node gets it from either", "[p2p][fetch]") {
  TestCluster cluster(4, TestCluster::directory_alone());
  const auto content = random_bytes(2 << 20, 1);
  const auto digest = cluster[1].push(content);
  cluster[1].flush();
  REQUIRE(cluster[0].fetch->fetch(repo("a"), digest));
  cluster[0].flush();
  CHECK(cluster[3].holders(digest) == std::vector<std::string>{"n0", "n1"});
  cluster[1].stop();
  REQUIRE(cluster[3].fetch->fetch(repo("a"), digest));
  CHECK(read_blob(*cluster[3].store, repo("a"), digest) == content);
}

}  // namespace
}  // namespace shoal

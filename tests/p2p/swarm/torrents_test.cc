#include "p2p/swarm/torrents.h"

#include <atomic>

#include <catch2/catch.hpp>

#include "tests/p2p/cluster.h"

namespace shoal {
namespace {

struct TorrentsTest : StoreTest {
  std::mutex mutex;
  std::vector<Digest> gone;
  Torrents torrents{*store, TorrentKind::v2, [this](const Digest& digest) {
                      const std::lock_guard lock(mutex);
                      gone.push_back(digest);
                    }};
  const Repository name = repo("a");
};

TEST_CASE_METHOD(TorrentsTest, "What is pushed gets its torrent, which is kept", "[p2p][swarm]") {
  const auto content = random_bytes((5 << 20) + 1, 1);
  const auto digest = Digest::of(content);
  REQUIRE(push(*store, name, content, digest));
  CHECK(eventually([&] {
    const auto kept = store->blobs().attachment(digest);
    return kept && kept->has_value();
  }));
  TorrentMaker maker(digest, content.size());
  maker.update(content);
  CHECK(torrents.of(digest) == maker.finish());
}

TEST_CASE_METHOD(TorrentsTest, "Content that was here before gets its torrent when it is asked for",
                 "[p2p][swarm]") {
  torrents.stop();
  const auto content = random_bytes(3 << 20, 2);
  const auto digest = Digest::of(content);
  REQUIRE(push(*store, name, content, digest));
  CHECK(torrents.of(digest).error().code == Errc::unavailable);  // It was stopped.
  Torrents others(*store, TorrentKind::v2, [](const Digest&) {});
  std::vector<std::thread> askers;
  std::atomic<int> good{0};
  for (int i = 0; i < 8; ++i) {
    askers.emplace_back([&] {
      const auto torrent = others.of(digest);
      if (torrent && torrent->digest == digest &&
          torrent->matches(0, content.substr(0, torrent->piece_bytes)))
        ++good;
    });
  }
  for (auto& asker : askers) asker.join();
  CHECK(good == 8);
  REQUIRE(store->blobs().attach(digest, "what is no torrent"));
  CHECK(others.of(digest));
}

TEST_CASE_METHOD(TorrentsTest, "There is no torrent of what is small, unknown or gone",
                 "[p2p][swarm]") {
  const auto small = random_bytes(kSwarmBytesMin - 1, 3);
  REQUIRE(push(*store, name, small, Digest::of(small)));
  CHECK(torrents.of(Digest::of(small)).error().code == Errc::unsupported);
  CHECK(torrents.of(Digest::of("nothing")).error().code == Errc::blob_unknown);
  const auto content = random_bytes(3 << 20, 4);
  const auto digest = Digest::of(content);
  REQUIRE(push(*store, name, content, digest));
  REQUIRE(torrents.of(digest));
  REQUIRE(store->blobs().remove(name, digest));
  CHECK(eventually([&] {
    const std::lock_guard lock(mutex);
    return gone == std::vector<Digest>{digest};
  }));
  CHECK(torrents.of(digest).error().code == Errc::blob_unknown);
}

}  // namespace
}  // namespace shoal

#include "storage/collector.h"

#include <algorithm>
#include <array>
#include <thread>

#include <catch2/catch.hpp>

#include "tests/storage/fixture.h"

namespace shoal {
namespace {

struct CollectorTest : StoreTest {
  bool blob_is_here(const Digest& digest) {
    return store->blobs().stat_any(digest, Wait::yes).has_value();
  }
  Digest put(const std::string& name, const std::string& content) {
    const Digest digest = Digest::of(content);
    REQUIRE(store->uploads().put(repo(name), digest, content));
    return digest;
  }
  void pass(std::chrono::seconds time) {
    clock.advance(time);
    REQUIRE(store->collector().collect(false));
  }
  const std::chrono::hours grace{1};
};

TEST_CASE_METHOD(CollectorTest, "Fresh content that nobody names goes after its grace", "[gc]") {
  const Digest blob = put("a", "lonely");
  pass(grace / 2);
  CHECK(blob_is_here(blob));
  pass(grace * 2);
  pass(grace * 2);  // The lease of the push is over now, too.
  CHECK_FALSE(blob_is_here(blob));
}

TEST_CASE_METHOD(CollectorTest, "What a tag reaches stays forever", "[gc]") {
  const Digest blob = put("a", "layer");
  const Digest image = push_manifest(*store, repo("a"), "{image}", {blob}, {});
  const Digest index = push_manifest(*store, repo("a"), "{index}", {image}, {tag_named("1")});
  const Digest signature = push_manifest(*store, repo("a"), "{signature}", {}, {}, index);
  for (int i = 0; i < 5; ++i) pass(std::chrono::hours(24 * 30));
  CHECK(blob_is_here(blob));
  CHECK(store->manifests().stat(repo("a"), image, Wait::yes));
  CHECK(store->manifests().stat(repo("a"), signature, Wait::yes));
}

TEST_CASE_METHOD(CollectorTest, "A delete lets go of all that only it reached", "[gc]") {
  const Digest shared = put("a", "shared"), own = put("a", "own");
  const Digest child = push_manifest(*store, repo("a"), "{child}", {shared, own}, {});
  const Digest index = push_manifest(*store, repo("a"), "{index}", {child}, {tag_named("1")});
  const Digest signature = push_manifest(*store, repo("a"), "{signature}", {}, {}, index);
  push_manifest(*store, repo("a"), "{other}", {shared}, {tag_named("2")});
  clock.advance(grace * 2);
  REQUIRE(store->manifests().remove(repo("a"), index));
  REQUIRE(store->collector().collect(false));
  CHECK_FALSE(store->manifests().stat(repo("a"), child, Wait::yes));
  CHECK_FALSE(store->manifests().stat(repo("a"), signature, Wait::yes));
  CHECK_FALSE(blob_is_here(own));
  CHECK(blob_is_here(shared));
}

TEST_CASE_METHOD(CollectorTest, "A HEAD that answered yes protects for the grace", "[gc]") {
  const Digest blob = put("a", "layer");
  const Digest image = push_manifest(*store, repo("a"), "{image}", {blob}, {tag_named("1")});
  clock.advance(grace * 3);
  REQUIRE(store->blobs().stat(repo("a"), blob, Wait::yes));
  REQUIRE(store->manifests().remove(repo("a"), image));
  auto report = store->collector().collect(false);
  REQUIRE(report);
  CHECK(blob_is_here(blob));
  push_manifest(*store, repo("a"), "{next}", {blob}, {tag_named("1")});

  SECTION("and the manifest that came meanwhile keeps it") {
    for (int i = 0; i < 5; ++i) pass(grace * 2);
    CHECK(blob_is_here(blob));
  }
  SECTION("unless all is over") {
    REQUIRE(store->manifests().remove(repo("a"), Digest::of("{next}")));
    for (int i = 0; i < 5; ++i) pass(grace);
    CHECK_FALSE(blob_is_here(blob));
  }
}

TEST_CASE_METHOD(CollectorTest, "Asked to do it now, it does not wait for leases", "[gc]") {
  const Digest blob = put("a", "layer"), fresh = put("a", "fresh");
  const Digest image = push_manifest(*store, repo("a"), "{image}", {blob}, {tag_named("1")});
  REQUIRE(store->manifests().remove(repo("a"), image));
  REQUIRE(store->collector().collect(false));
  CHECK(blob_is_here(blob));
  const auto report = store->collector().collect(true);
  REQUIRE(report);
  CHECK_FALSE(blob_is_here(blob));
  CHECK(report->blobs_dropped == 1);
  CHECK(report->bytes_freed == 5);
  CHECK(blob_is_here(fresh));  // A push in progress is not a leftover.
}

TEST_CASE_METHOD(CollectorTest, "What is gone waits for nothing", "[gc]") {
  const Digest image = push_manifest(*store, repo("a"), "{image}", {}, {tag_named("1")});
  push_manifest(*store, repo("a"), "{other}", {}, {tag_named("1")});
  CHECK(store->collector().collect(true)->waiting == 1);  // The first one is untagged now.
  REQUIRE(store->manifests().remove(repo("a"), image));
  CHECK(store->collector().collect(true)->waiting == 0);
}

TEST_CASE_METHOD(CollectorTest, "An untagged manifest stays for its time and then goes", "[gc]") {
  push_manifest(*store, repo("a"), "{old}", {}, {tag_named("latest")});
  push_manifest(*store, repo("a"), "{new}", {}, {tag_named("latest")});
  const Digest old = Digest::of("{old}");
  pass(std::chrono::hours(24 * 13));
  CHECK(store->manifests().stat(repo("a"), old, Wait::yes));
  pass(std::chrono::hours(24 * 2));
  pass(grace * 2);
  CHECK_FALSE(store->manifests().stat(repo("a"), old, Wait::yes));
  CHECK(store->manifests().stat(repo("a"), tag_named("latest"), Wait::yes));
}

TEST_CASE_METHOD(CollectorTest, "Untagged manifests stay where the configuration says never",
                 "[gc]") {
  config.untagged_ttl.reset();
  reopen();
  push_manifest(*store, repo("a"), "{old}", {}, {tag_named("latest")});
  push_manifest(*store, repo("a"), "{new}", {}, {tag_named("latest")});
  for (int i = 0; i < 5; ++i) pass(std::chrono::hours(24 * 365));
  CHECK(store->manifests().stat(repo("a"), Digest::of("{old}"), Wait::yes));
}

TEST_CASE_METHOD(CollectorTest, "Leases do not survive a restart, so a restart waits a grace",
                 "[gc]") {
  const Digest blob = put("a", "layer");
  const Digest image = push_manifest(*store, repo("a"), "{image}", {blob}, {tag_named("1")});
  clock.advance(grace * 3);
  reopen();
  REQUIRE(store->manifests().remove(repo("a"), image));
  REQUIRE(store->collector().collect(false));
  CHECK(blob_is_here(blob));
  pass(grace * 2);
  CHECK_FALSE(blob_is_here(blob));
}

TEST_CASE_METHOD(CollectorTest, "No push that was accepted loses a blob to a collection beside it",
                 "[gc]") {
  std::atomic<bool> stop{false};
  std::atomic<int> broken{0}, pushed{0};
  std::array<std::atomic<int>, 4> rounds{};
  std::vector<std::thread> clients;
  for (int client = 0; client < 4; ++client) {
    clients.emplace_back([&, client] {
      const Repository name = repo(client % 2 == 0 ? "even" : "odd");
      for (int round = 0; round < 200; ++round, ++rounds[static_cast<std::size_t>(client)]) {
        const std::string layer = "layer " + std::to_string(round % 7);
        const Digest blob = Digest::of(layer);
        if (!store->blobs().stat(name, blob, Wait::yes)) {
          if (!store->uploads().put(name, blob, layer)) ++broken;
        }
        const std::string text = "{" + std::to_string(client * 1000 + round) + "}";
        ManifestFacts facts;
        facts.media_type = "t";
        facts.references = {{blob, layer.size(), true}};
        if (!store->manifests().put(name, Digest::of(text), text, facts, {})) {
          ++broken;
          continue;
        }
        ++pushed;
        const auto info = store->blobs().stat(name, blob, Wait::yes);
        if (!info) ++broken;
        if (!store->manifests().remove(name, Digest::of(text))) ++broken;
      }
    });
  }
  std::thread collector([&] {
    std::array<int, 4> seen{};
    while (!stop) {
      // Time moves only when every client has: no push lasts as long as its leases.
      const auto moved = [&](std::size_t i) { return rounds[i] > seen[i] || rounds[i] == 200; };
      if (moved(0) && moved(1) && moved(2) && moved(3)) {
        for (std::size_t i = 0; i < seen.size(); ++i) seen[i] = rounds[i];
        clock.advance(std::chrono::minutes(7));
      }
      if (!store->collector().collect(false)) ++broken;
    }
  });
  for (auto& client : clients) client.join();
  stop = true;
  collector.join();
  CHECK(broken == 0);
  CHECK(pushed == 800);
}

struct EvictionTest : CollectorTest {
  void fill(Eviction eviction) {
    config.quota_bytes = 10'000'000;
    config.eviction = eviction;
    reopen();
    for (int i = 0; i < 9; ++i) {
      const std::string content = random_bytes(1'000'000, static_cast<std::uint64_t>(i));
      blobs.push_back(Digest::of(content));
      REQUIRE(push(*store, repo("a"), content, blobs.back()));
      push_manifest(
          *store, repo("a"), "{" + std::to_string(i) + "}", {blobs.back()},
          i % 2 == 0 ? std::vector{tag_named("t" + std::to_string(i))} : std::vector<Tag>{});
      clock.advance(std::chrono::hours(2));
    }
    clock.advance(grace * 2);
  }
  std::vector<Digest> blobs;
};

TEST_CASE_METHOD(EvictionTest, "Above the high watermark the least recently used goes first",
                 "[gc]") {
  fill(Eviction::all);
  REQUIRE(store->blobs().pin(blobs[1], true));
  REQUIRE(store->blobs().open(repo("a"), blobs[0], Wait::yes));  // A use.
  const auto report = store->collector().evict();
  REQUIRE(report);
  CHECK(report->evicted == 2);  // 9.0 MB and their manifests, down to 8.0 MB.
  CHECK(blob_is_here(blobs[0]));
  CHECK(blob_is_here(blobs[1]));
  CHECK_FALSE(blob_is_here(blobs[2]));
  CHECK_FALSE(blob_is_here(blobs[3]));
  CHECK(blob_is_here(blobs[4]));
  CHECK(store->manifests().stat(repo("a"), tag_named("t2"), Wait::yes));
}

TEST_CASE_METHOD(EvictionTest, "Content that a tag reaches stays where only untagged may go",
                 "[gc]") {
  fill(Eviction::untagged);
  REQUIRE(store->collector().evict());
  CHECK(blob_is_here(blobs[0]));
  CHECK_FALSE(blob_is_here(blobs[1]));
  CHECK(blob_is_here(blobs[2]));
  CHECK_FALSE(blob_is_here(blobs[3]));
}

TEST_CASE_METHOD(EvictionTest,
                 "Content that is needed elsewhere is not evicted, only what comes next", "[gc]") {
  std::vector<Digest> asked;
  config.expendable = [&](const Digest& digest) {
    asked.push_back(digest);
    // It may use the store: no lock is held meanwhile.
    REQUIRE(store->blobs().pin(digest, false));
    REQUIRE(store->blobs().mount(repo("b"), Digest::of("a bystander"), std::nullopt));
    return digest != blobs[0] && digest != blobs[2];
  };
  put("a", "a bystander");
  fill(Eviction::all);
  REQUIRE(store->blobs().pin(blobs[1], true));
  REQUIRE(store->collector().evict());
  CHECK(blob_is_here(blobs[0]));
  CHECK(blob_is_here(blobs[1]));
  CHECK(blob_is_here(blobs[2]));
  CHECK_FALSE(blob_is_here(blobs[3]));
  CHECK_FALSE(blob_is_here(blobs[4]));
  CHECK(blob_is_here(blobs[5]));
  // Only about what would go otherwise.
  CHECK(std::count(asked.begin(), asked.end(), blobs[1]) == 0);
  CHECK(std::count(asked.begin(), asked.end(), blobs[5]) == 0);
}

TEST_CASE_METHOD(EvictionTest, "Nothing is evicted unless asked for", "[gc]") {
  fill(Eviction::none);
  CHECK(store->collector().evict()->evicted == 0);
  for (const auto& blob : blobs) CHECK(blob_is_here(blob));
}

TEST_CASE_METHOD(EvictionTest, "Evicted content comes back by a push under the same names",
                 "[gc]") {
  fill(Eviction::all);
  REQUIRE(store->collector().evict());
  REQUIRE_FALSE(store->blobs().stat(repo("a"), blobs[0], Wait::yes));
  const std::string content = random_bytes(1'000'000, 0);
  REQUIRE(push(*store, repo("a"), content, blobs[0]));
  CHECK(read_blob(*store, repo("a"), blobs[0]) == content);
}

}  // namespace
}  // namespace shoal

#include "storage/manifests.h"

#include <fmt/format.h>

#include <thread>

#include <catch2/catch.hpp>

#include "tests/storage/fixture.h"

namespace shoal {
namespace {

TEST_CASE_METHOD(StoreTest, "A manifest comes back as it was pushed, by tag and by digest",
                 "[manifests]") {
  const std::string text = R"({"schemaVersion":2,  "odd":   "spacing"})";
  const Digest digest =
      push_manifest(*store, repo("a"), text, {}, {tag_named("1"), tag_named("2")});
  for (const ManifestReference& reference :
       {ManifestReference(digest), ManifestReference(tag_named("1")),
        ManifestReference(tag_named("2"))}) {
    const auto stored = store->manifests().get(repo("a"), reference, Wait::no);
    REQUIRE(stored);
    CHECK(stored->content.view() == text);
    CHECK(stored->info.digest == digest);
    CHECK(stored->info.media_type == "application/vnd.oci.image.manifest.v1+json");
    CHECK(stored->info.size == text.size());
  }
}

TEST_CASE_METHOD(StoreTest, "What is not there is told apart: repository or manifest",
                 "[manifests]") {
  CHECK(store->manifests().stat(repo("a"), tag_named("x"), Wait::yes).error().code ==
        Errc::name_unknown);
  CHECK(store->manifests().tags(repo("a"), "", 10).error().code == Errc::name_unknown);
  push_manifest(*store, repo("a"), "{}", {}, {tag_named("1")});
  CHECK(store->manifests().stat(repo("a"), tag_named("x"), Wait::yes).error().code ==
        Errc::manifest_unknown);
  CHECK(store->manifests().stat(repo("a"), Digest::of("?"), Wait::yes).error().code ==
        Errc::manifest_unknown);
}

TEST_CASE_METHOD(StoreTest, "A manifest that names missing blobs is refused with their names",
                 "[manifests]") {
  const Digest here = Digest::of("here");
  REQUIRE(store->uploads().put(repo("a"), here, "here"));
  REQUIRE(store->uploads().put(repo("b"), Digest::of("elsewhere"), "elsewhere"));
  ManifestFacts facts;
  facts.references = {{here, 4, true},
                      {Digest::of("elsewhere"), 9, true},
                      {Digest::of("absent"), 6, true},
                      {Digest::of("foreign"), 7, false}};
  const auto put = store->manifests().put(repo("a"), Digest::of("{}"), "{}", facts, {});
  REQUIRE_FALSE(put);
  CHECK(put.error().code == Errc::manifest_blob_unknown);
  CHECK(put.error().message.find(Digest::of("absent").to_string()) != std::string::npos);
  CHECK(put.error().message.find(Digest::of("elsewhere").to_string()) != std::string::npos);
  CHECK(put.error().message.find(here.to_string()) == std::string::npos);
  CHECK(put.error().message.find(Digest::of("foreign").to_string()) == std::string::npos);
}

TEST_CASE_METHOD(StoreTest, "Deleting a manifest takes its tags; deleting a tag only the tag",
                 "[manifests]") {
  const Digest digest =
      push_manifest(*store, repo("a"), "{}", {}, {tag_named("1"), tag_named("2")});
  REQUIRE(store->manifests().untag(repo("a"), tag_named("1")));
  CHECK(store->manifests().stat(repo("a"), digest, Wait::yes));
  CHECK_FALSE(store->manifests().stat(repo("a"), tag_named("1"), Wait::yes));
  CHECK_FALSE(*store->manifests().remove_unused(repo("a"), digest));
  REQUIRE(store->manifests().remove(repo("a"), digest));
  CHECK_FALSE(store->manifests().stat(repo("a"), digest, Wait::yes));
  CHECK_FALSE(store->manifests().stat(repo("a"), tag_named("2"), Wait::yes));
  CHECK(store->manifests().repositories("", 10)->entries.empty());
  CHECK(store->usage().blobs == 0);
}

TEST_CASE_METHOD(StoreTest, "A manifest in two repositories is stored once and deleted apart",
                 "[manifests]") {
  const Digest digest = push_manifest(*store, repo("a"), "{}", {}, {tag_named("1")});
  push_manifest(*store, repo("b"), "{}", {}, {tag_named("1")});
  CHECK(store->usage().blobs == 1);
  REQUIRE(store->manifests().remove(repo("a"), digest));
  CHECK(store->manifests().get(repo("b"), digest, Wait::yes)->content.view() == "{}");
}

TEST_CASE_METHOD(StoreTest, "Tags are paged in byte order, each once", "[manifests]") {
  const std::vector<std::string> names = {"A", "B", "_", "a", "a-b", "a.b", "aB", "aa", "b"};
  for (const auto& name : names) push_manifest(*store, repo("a"), "{}", {}, {tag_named(name)});
  push_manifest(*store, repo("a/b"), "{}", {}, {tag_named("other")});
  std::vector<std::string> seen;
  for (std::string after;;) {
    const auto page = store->manifests().tags(repo("a"), after, 2);
    REQUIRE(page);
    for (const auto& entry : page->entries) seen.push_back(entry.tag);
    if (!page->more) break;
    REQUIRE(page->entries.size() == 2);
    after = seen.back();
  }
  CHECK(seen == names);
  CHECK(store->manifests().tags(repo("a"), "aA", 1)->entries[0].tag == "aB");
  CHECK(store->manifests().tags(repo("a"), "zzz", 1)->entries.empty());
  const auto none = store->manifests().tags(repo("a"), "", 0);
  CHECK(none->entries.empty());
  CHECK(none->more);
}

TEST_CASE_METHOD(StoreTest, "The catalog is paged in byte order", "[manifests]") {
  for (const auto* name : {"b", "a/b", "a", "a-b", "a0"}) {
    push_manifest(*store, repo(name), "{}", {}, {tag_named("1")});
  }
  const auto all = store->manifests().repositories("", 10);
  CHECK(all->entries == std::vector<std::string>{"a", "a-b", "a/b", "a0", "b"});
  const auto page = store->manifests().repositories("a-b", 2);
  CHECK(page->entries == std::vector<std::string>{"a/b", "a0"});
  CHECK(page->more);
}

TEST_CASE_METHOD(StoreTest, "Referrers are found by subject and filtered by type", "[manifests]") {
  const Digest subject = Digest::of("not pushed yet");
  ManifestFacts facts;
  facts.media_type = "application/vnd.oci.image.manifest.v1+json";
  facts.subject = subject;
  for (const auto* type : {"sbom", "sig", "sig"}) {
    static int count = 0;
    facts.artifact_type = type;
    facts.annotations = R"({"n":"1"})";
    const std::string text = "{" + std::to_string(++count) + "}";
    REQUIRE(store->manifests().put(repo("a"), Digest::of(text), text, facts, {}));
  }
  const auto all = store->manifests().referrers(repo("a"), subject, {}, std::nullopt, 10);
  REQUIRE(all);
  CHECK(all->entries.size() == 3);
  CHECK(all->entries[0].annotations == R"({"n":"1"})");
  CHECK(
      store->manifests().referrers(repo("a"), subject, {"sig"}, std::nullopt, 10)->entries.size() ==
      2);
  CHECK(store->manifests().referrers(repo("b"), subject, {}, std::nullopt, 10)->entries.empty());
  const auto page = store->manifests().referrers(repo("a"), subject, {}, std::nullopt, 2);
  CHECK(page->more);
  const auto rest =
      store->manifests().referrers(repo("a"), subject, {}, page->entries[1].digest, 2);
  CHECK(rest->entries.size() == 1);
  CHECK_FALSE(rest->more);
}

TEST_CASE_METHOD(StoreTest, "Concurrent pushes of one tag end with one winner", "[manifests]") {
  std::vector<std::thread> clients;
  for (int i = 0; i < 8; ++i) {
    clients.emplace_back([this, i] {
      const std::string text = fmt::format("{{{}}}", i);
      ManifestFacts facts;
      facts.media_type = "t";
      for (int round = 0; round < 20; ++round) {
        std::ignore =
            store->manifests().put(repo("a"), Digest::of(text), text, facts, {tag_named("latest")});
      }
    });
  }
  for (auto& client : clients) client.join();
  const auto winner = store->manifests().stat(repo("a"), tag_named("latest"), Wait::yes);
  REQUIRE(winner);
  for (int i = 0; i < 8; ++i) {  // Only the winner still has the tag: the others can go.
    const Digest digest = Digest::of(fmt::format("{{{}}}", i));
    CHECK(*store->manifests().remove_unused(repo("a"), digest) == (digest != winner->digest));
  }
}

TEST_CASE_METHOD(StoreTest, "A tag moves only from what it was seen to name", "[manifests]") {
  auto& manifests = store->manifests();
  const Digest one = push_manifest(*store, repo("a"), "{one}", {}, {tag_named("t")});
  const Digest two = push_manifest(*store, repo("a"), "{two}", {}, {});
  const auto names = [&] { return manifests.stat(repo("a"), tag_named("t"), Wait::yes)->digest; };
  CHECK(manifests.move_tag(repo("a"), tag_named("t"), two, one).value() == false);
  CHECK(manifests.move_tag(repo("a"), tag_named("t"), std::nullopt, two).value() == false);
  CHECK(names() == one);
  CHECK(manifests.move_tag(repo("a"), tag_named("t"), one, two).value());
  CHECK(names() == two);
  CHECK(manifests.move_tag(repo("a"), tag_named("t"), two, Digest::of("absent")).error().code ==
        Errc::manifest_unknown);
  CHECK(names() == two);
  CHECK(manifests.move_tag(repo("a"), tag_named("t"), two, std::nullopt).value());
  CHECK_FALSE(manifests.stat(repo("a"), tag_named("t"), Wait::yes));
  CHECK(manifests.move_tag(repo("a"), tag_named("t"), std::nullopt, one).value());
  CHECK(names() == one);
  // What lost the tag is collected when its time has come, and what got it is not.
  clock.advance(std::chrono::hours(24 * 20));
  REQUIRE(store->collector().collect(false));
  CHECK(manifests.stat(repo("a"), one, Wait::yes));
  CHECK_FALSE(manifests.stat(repo("a"), two, Wait::yes));
}

TEST_CASE_METHOD(StoreTest, "A repository knows what its manifests name", "[manifests]") {
  const Digest blob = Digest::of("layer");
  REQUIRE(store->uploads().put(repo("a"), blob, "layer"));
  CHECK_FALSE(store->manifests().names(repo("a"), blob).value());
  push_manifest(*store, repo("a"), "{image}", {blob}, {});
  CHECK(store->manifests().names(repo("a"), blob).value());
  CHECK_FALSE(store->manifests().names(repo("b"), blob).value());
}

}  // namespace
}  // namespace shoal

#include "orchestrator/images/cluster_names.h"

#include <atomic>
#include <thread>

#include <catch2/catch.hpp>

#include "orchestrator/state/embedded_state.h"
#include "tests/storage/fixture.h"

namespace shoal {
namespace {

struct Names {
  TempFolder folder;
  std::unique_ptr<EmbeddedState> state = *EmbeddedState::open({folder.path(), 1000});
  ClusterNames names{*state, "n-self"};
};

Repository repository(const char* name) { return *Repository::parse(name); }
Tag tag(const std::string& name) { return *Tag::parse(name); }
ManifestInfo manifest(const std::string& content) {
  return {Digest::of(content), "application/vnd.oci.image.manifest.v1+json", content.size(), {}};
}

TEST_CASE("A published tag is resolved, moved and taken away", "[orchestrator][names]") {
  Names f;
  const auto app = repository("team/app");
  CHECK(f.names.resolve(app, tag("1")).error().code == Errc::name_unknown);
  REQUIRE(f.names.publish(app, manifest("one"), {tag("1"), tag("latest"), tag("1")}));
  const auto first = f.names.resolve(app, tag("latest"));
  REQUIRE(first);
  CHECK(first->digest == Digest::of("one"));
  CHECK(first->pushed_by == "n-self");
  CHECK(first->size == 3);

  REQUIRE(f.names.publish(app, manifest("two"), {tag("latest")}));
  CHECK(f.names.resolve(app, tag("latest"))->digest == Digest::of("two"));
  CHECK(f.names.resolve(app, tag("1"))->digest == Digest::of("one"));

  REQUIRE(f.names.untag(app, tag("1")));
  CHECK(f.names.resolve(app, tag("1")).error().code == Errc::manifest_unknown);
  CHECK(f.names.untag(app, tag("1")).error().code == Errc::manifest_unknown);
  CHECK(f.names.untag(repository("other"), tag("1")).error().code == Errc::name_unknown);
}

TEST_CASE("Lists are paged and keep repositories apart", "[orchestrator][names]") {
  Names f;
  for (const auto* name : {"a", "a/b", "ab"}) {
    REQUIRE(f.names.publish(repository(name), manifest(name), {tag("x"), tag("y"), tag("z")}));
  }
  const auto first = f.names.tags(repository("a"), "", 2);
  REQUIRE(first);
  REQUIRE(first->entries.size() == 2);
  CHECK(first->entries[0].tag == "x");
  CHECK(first->entries[1].digest == Digest::of("a"));
  CHECK(first->more);
  const auto second = f.names.tags(repository("a"), "y", 2);
  REQUIRE(second);
  REQUIRE(second->entries.size() == 1);
  CHECK(second->entries[0].tag == "z");
  CHECK_FALSE(second->more);
  CHECK(f.names.tags(repository("c"), "", 2).error().code == Errc::name_unknown);

  const auto page = f.names.repositories("a", 1);
  REQUIRE(page);
  CHECK(page->entries == std::vector<std::string>{"a/b"});
  CHECK(page->more);
}

TEST_CASE("A repository without tags is known", "[orchestrator][names]") {
  Names f;
  REQUIRE(f.names.publish(repository("app"), manifest("one"), {}));
  const auto tags = f.names.tags(repository("app"), "", 10);
  REQUIRE(tags);
  CHECK(tags->entries.empty());
  CHECK(f.names.resolve(repository("app"), tag("1")).error().code == Errc::manifest_unknown);
}

TEST_CASE("An import leaves what exists alone", "[orchestrator][names]") {
  Names f;
  const auto app = repository("app");
  REQUIRE(f.names.publish(app, manifest("theirs"), {tag("1")}));
  std::vector<Tag> tags = {tag("1")};
  for (int i = 0; i < 120; ++i) tags.push_back(tag("t" + std::to_string(i)));
  const auto imported = f.names.import(app, manifest("ours"), tags);
  REQUIRE(imported);
  CHECK(*imported == 120);
  CHECK(f.names.resolve(app, tag("1"))->digest == Digest::of("theirs"));
  CHECK(f.names.resolve(app, tag("t119"))->digest == Digest::of("ours"));
}

TEST_CASE("All tags of a manifest go, and only they", "[orchestrator][names]") {
  Names f;
  const auto app = repository("app");
  std::vector<Tag> many;
  for (int i = 0; i < 90; ++i) many.push_back(tag("t" + std::to_string(i)));
  REQUIRE(f.names.publish(app, manifest("one"), many));
  std::vector<Tag> others;
  for (int i = 0; i < 90; ++i) others.push_back(tag("u" + std::to_string(i)));
  REQUIRE(f.names.publish(app, manifest("two"), others));
  const auto erased = f.names.untag_all(app, Digest::of("one"));
  REQUIRE(erased);
  CHECK(*erased == 90);
  CHECK(f.names.tags(app, "", 1000)->entries.size() == 90);
  CHECK(f.names.resolve(app, tag("u0")));
}

TEST_CASE("Of concurrent pushes of a tag one wins for all", "[orchestrator][names]") {
  Names f;
  const auto app = repository("app");
  std::vector<std::thread> pushers;
  std::atomic<int> acknowledged{0};
  for (int i = 0; i < 4; ++i) {
    pushers.emplace_back([&, i] {
      ClusterNames own(*f.state, "n-" + std::to_string(i));
      for (int round = 0; round < 10; ++round) {
        if (own.publish(app, manifest(std::to_string(i)), {tag("1"), tag("2")})) ++acknowledged;
      }
    });
  }
  for (auto& pusher : pushers) pusher.join();
  CHECK(acknowledged == 40);
  const auto first = f.names.resolve(app, tag("1"));
  const auto second = f.names.resolve(app, tag("2"));
  REQUIRE(first);
  REQUIRE(second);
  CHECK(first->digest == second->digest);  // Both tags of a push move at one revision.
}

}  // namespace
}  // namespace shoal

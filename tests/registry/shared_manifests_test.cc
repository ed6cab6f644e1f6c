// Manifests and tags of a node in a cluster: two nodes, their names shared.

#include <thread>
#include <utility>

#include <catch2/catch.hpp>

#include "registry/manifest.h"
#include "registry/shared_images.h"
#include "tests/registry/elsewhere_fixture.h"

namespace shoal {
namespace {

std::string digest_of(const std::string& text) { return Digest::of(text).to_string(); }

struct SharedManifestsTest : TwoNodes {
  static std::optional<Digest> own_tag(const ApiTest& node, const std::string& tag) {
    const auto info = node.store->manifests().stat(repo("app"), tag_named(tag), Wait::yes);
    if (!info) return std::nullopt;
    return info->digest;
  }
  static bool holds(const ApiTest& node, const std::string& text) {
    return node.store->manifests().stat(repo("app"), Digest::of(text), Wait::yes).has_value();
  }
  static bool holds_blob(const ApiTest& node, const std::string& content) {
    return node.store->blobs().stat(repo("app"), Digest::of(content), Wait::yes).has_value();
  }
};

TEST_CASE_METHOD(SharedManifestsTest, "What is pushed to one node is pulled from the other at once",
                 "[cluster]") {
  const auto text = push_image(a, "app", "v1", "layer");
  const auto reference = GENERATE_COPY(as<std::string>{}, "v1", digest_of(text));
  const auto url = "/v2/app/manifests/" + reference;
  // Whatever is asked first finds the manifest over there.
  const bool head_first = GENERATE(true, false);
  if (head_first) check_equal(b.head(url), a.head(url));
  check_equal(b.get(url), a.get(url));
  check_equal(b.head(url), a.head(url));
  CHECK(b.get(url).body == text);
  const Fields known = {{"If-None-Match", '"' + digest_of(text) + '"'}};
  check_equal(b.get(url, known), a.get(url, known));
  CHECK(b.get(url, known).status == 304);
}

TEST_CASE_METHOD(SharedManifestsTest, "A tag that moved elsewhere is followed and remembered",
                 "[cluster]") {
  const auto first = push_image(a, "app", "v1", "first");
  CHECK(b.get("/v2/app/manifests/v1").body == first);
  CHECK(own_tag(b, "v1") == Digest::of(first));
  const auto second = push_image(a, "app", "v1", "second");
  CHECK(b.head("/v2/app/manifests/v1").header("Docker-Content-Digest") == digest_of(second));
  CHECK(own_tag(b, "v1") == Digest::of(second));
  // Both are here by now: nobody need be asked for them to move the tag back.
  beyond_b.holder_away = true;
  push_manifest(a, "app", "v1", first);
  CHECK(b.get("/v2/app/manifests/v1").body == first);
  CHECK(own_tag(b, "v1") == Digest::of(first));
}

TEST_CASE_METHOD(SharedManifestsTest, "Without the shared names the last known ones are served",
                 "[cluster]") {
  const auto text = push_image(a, "app", "v1", "layer");
  CHECK_FALSE(is_stale(b.get("/v2/app/manifests/v1")));
  names_away(true);
  const auto stale = b.get("/v2/app/manifests/v1");
  CHECK(stale.status == 200);
  CHECK(stale.body == text);
  CHECK(is_stale(stale));
  const auto headed = b.head("/v2/app/manifests/v1");
  CHECK(headed.length == text.size());
  CHECK(is_stale(headed));
  const auto unchanged =
      b.get("/v2/app/manifests/v1", {{"If-None-Match", '"' + digest_of(text) + '"'}});
  CHECK(unchanged.status == 304);
  CHECK(is_stale(unchanged));

  const auto by_digest = b.get("/v2/app/manifests/" + digest_of(text));
  CHECK(by_digest.status == 200);
  CHECK_FALSE(is_stale(by_digest));

  const auto unknown = b.get("/v2/app/manifests/v2");
  CHECK(unknown.status == 503);
  CHECK_FALSE(unknown.header("Retry-After").empty());
  names_away(false);
  CHECK_FALSE(is_stale(b.get("/v2/app/manifests/v1")));
  CHECK(b.get("/v2/app/manifests/v2").status == 404);
}

TEST_CASE_METHOD(SharedManifestsTest, "A tag that is gone for all is gone here", "[cluster]") {
  const auto text = push_image(a, "app", "v1", "layer");
  REQUIRE(b.get("/v2/app/manifests/v1").status == 200);
  REQUIRE(a.send(Method::delete_, "/v2/app/manifests/v1").status == 202);
  const auto answer = b.get("/v2/app/manifests/v1");
  CHECK(answer.status == 404);
  CHECK(answer.code() == "MANIFEST_UNKNOWN");
  CHECK_FALSE(own_tag(b, "v1"));
  CHECK(b.get("/v2/app/manifests/" + digest_of(text)).status == 200);
  CHECK(b.get("/v2/other/manifests/v1").code() == "NAME_UNKNOWN");
}

TEST_CASE_METHOD(SharedManifestsTest, "A manifest whose holder is away is a matter of time",
                 "[cluster]") {
  const auto text = push_image(a, "app", "v1", "layer");
  beyond_b.holder_away = true;
  for (const auto& reference : {std::string("v1"), digest_of(text)}) {
    const auto answer = b.get("/v2/app/manifests/" + reference);
    CHECK(answer.status == 503);
    CHECK_FALSE(answer.header("Retry-After").empty());
  }
  beyond_b.holder_away = false;
  CHECK(b.get("/v2/app/manifests/v1").body == text);
  CHECK(b.get("/v2/app/manifests/" + digest_of("nowhere")).code() == "MANIFEST_UNKNOWN");
}

TEST_CASE_METHOD(SharedManifestsTest, "A push that cannot be published is not acknowledged",
                 "[cluster]") {
  const auto former = push_image(a, "app", "v1", "former");
  names_away(true);
  const auto text = image_of(a.push_blob("app", "{}"), {a.push_blob("app", "next")}).dump();
  for (const auto* const tag : {"v1", "v2"}) {
    const auto refused = push_manifest(a, "app", tag, text);
    CHECK(refused.status == 503);
    CHECK_FALSE(refused.header("Retry-After").empty());
  }
  CHECK(own_tag(a, "v1") == Digest::of(former));
  CHECK_FALSE(own_tag(a, "v2"));
  CHECK(a.get("/v2/app/manifests/v1").body == former);
  names_away(false);
  CHECK(push_manifest(a, "app", "v1", text).status == 201);
  CHECK(own_tag(a, "v1") == Digest::of(text));
  CHECK(b.get("/v2/app/manifests/v1").body == text);
}

TEST_CASE_METHOD(SharedManifestsTest, "Pushes of one tag on both nodes end with one winner",
                 "[cluster]") {
  a.push_blob("app", "{}");
  b.push_blob("app", "{}");
  constexpr int kRounds = 50;
  const auto push_all = [](ApiTest& node, Elsewhere& beyond, const std::string& who) {
    SharedImages images(*node.store, beyond);
    int accepted = 0;
    for (int i = 0; i < kRounds; ++i) {
      auto manifest = image_of(Digest::of("{}"), {});
      manifest["annotations"]["by"] = who + std::to_string(i);
      const auto text = manifest.dump();
      const auto facts = parse_manifest(text, kManifestType)->facts;
      const auto pushed =
          images.push(repo("app"), Digest::of(text), text, facts, {tag_named("v1")});
      const auto named = images.resolve(repo("app"), tag_named("v1"));
      accepted += pushed && named && !named->stale ? 1 : 0;
    }
    return accepted;
  };
  int accepted[2] = {};
  std::thread on_a([&] { accepted[0] = push_all(a, beyond_a, "a"); });
  std::thread on_b([&] { accepted[1] = push_all(b, beyond_b, "b"); });
  on_a.join();
  on_b.join();
  CHECK(accepted[0] == kRounds);
  CHECK(accepted[1] == kRounds);
  const auto winner = names.resolve(repo("app"), tag_named("v1"));
  REQUIRE(winner);
  for (auto* const node : {&a, &b}) {
    const auto answer = node->get("/v2/app/manifests/v1");
    CHECK(answer.header("Docker-Content-Digest") == winner->to_string());
    CHECK(own_tag(*node, "v1") == *winner);
  }
}

TEST_CASE_METHOD(SharedManifestsTest,
                 "The last known name is that of the last push, not of the "
                 "slowest request",
                 "[cluster]") {
  const auto first = push_image(a, "app", "v1", "first");
  const auto second = image_of(b.push_blob("app", "{}"), {}).dump();
  const auto own = image_of(a.push_blob("app", "{}"), {a.push_blob("app", "own")}).dump();
  // Between the publication of this push and its own tag, another node pushes, and a client of
  // this one has seen that.
  bool raced = false;
  beyond_a.on_publish = [&] {
    if (std::exchange(raced, true)) return;
    REQUIRE(push_manifest(b, "app", "v1", second).status == 201);
    REQUIRE(a.get("/v2/app/manifests/v1").body == second);
  };
  REQUIRE(push_manifest(a, "app", "v1", own).status == 201);
  CHECK(own_tag(a, "v1") == Digest::of(second));
}

TEST_CASE_METHOD(SharedManifestsTest, "A tag is deleted on all nodes, and so is a manifest",
                 "[cluster]") {
  const auto text = push_image(a, "app", "v1", "layer");
  push_manifest(a, "app", "v2", text);
  REQUIRE(b.get("/v2/app/manifests/v1").status == 200);
  CHECK(b.send(Method::delete_, "/v2/app/manifests/v1").status == 202);
  CHECK(a.get("/v2/app/manifests/v1").status == 404);
  CHECK(a.get("/v2/app/manifests/v2").status == 200);
  CHECK(b.send(Method::delete_, "/v2/app/manifests/v1").code() == "MANIFEST_UNKNOWN");

  CHECK(b.send(Method::delete_, "/v2/app/manifests/" + digest_of(text)).status == 202);
  for (auto* const node : {&a, &b}) {
    CHECK(node->get("/v2/app/manifests/v2").status == 404);
    CHECK(node->get("/v2/app/manifests/" + digest_of(text)).status == 404);
    const auto again = node->send(Method::delete_, "/v2/app/manifests/" + digest_of(text));
    CHECK(again.status == 404);
  }
}

TEST_CASE_METHOD(SharedManifestsTest, "Nothing is deleted while the names cannot be reached",
                 "[cluster]") {
  const auto text = push_image(a, "app", "v1", "layer");
  names_away(true);
  for (const auto& reference : {std::string("v1"), digest_of(text)}) {
    const auto answer = a.send(Method::delete_, "/v2/app/manifests/" + reference);
    CHECK(answer.status == 503);
    CHECK_FALSE(answer.header("Retry-After").empty());
  }
  CHECK(own_tag(a, "v1") == Digest::of(text));
  CHECK(holds(a, text));
}

TEST_CASE_METHOD(SharedManifestsTest, "Lists are those of all nodes", "[cluster]") {
  push_image(a, "app", "v1", "one");
  push_image(b, "app", "v2", "two");
  push_image(b, "base", "latest", "three");
  CHECK(a.get("/v2/app/tags/list").json()["tags"] == nlohmann::json({"v1", "v2"}));
  CHECK(a.get("/v2/_catalog").json()["repositories"] == nlohmann::json({"app", "base"}));
  const auto page = a.get("/v2/app/tags/list?n=1");
  CHECK(page.json()["tags"] == nlohmann::json({"v1"}));
  CHECK_THAT(page.header("Link"), Catch::Contains("last=v1"));
  CHECK_FALSE(is_stale(page));
  CHECK(a.get("/v2/nothing/tags/list").code() == "NAME_UNKNOWN");

  names_away(true);
  const auto tags = a.get("/v2/app/tags/list");
  CHECK(tags.json()["tags"] == nlohmann::json({"v1"}));
  CHECK(is_stale(tags));
  const auto catalog = a.get("/v2/_catalog");
  CHECK(catalog.json()["repositories"] == nlohmann::json({"app"}));
  CHECK(is_stale(catalog));
  CHECK(a.get("/v2/base/tags/list").status == 503);
}

TEST_CASE_METHOD(SharedManifestsTest, "A repository without a tag anywhere has an empty list",
                 "[cluster]") {
  const auto text = image_of(a.push_blob("app", "{}"), {}).dump();
  store_fetched_manifest(*a.store, repo("app"), Digest::of(text), text, kManifestType, {}).value();
  CHECK(a.get("/v2/app/tags/list").json()["tags"].empty());
}

TEST_CASE_METHOD(SharedManifestsTest, "Docker pushes an image whose layers are all elsewhere",
                 "[cluster]") {
  const auto layer = random_bytes(300'000, 1);
  push_image(a, "app", "v1", layer);
  // As the engine does: it asks for each, uploads nothing, and pushes another manifest of them.
  for (const auto& content : {layer, std::string("{}")}) {
    const auto known = b.head("/v2/app/blobs/" + digest_of(content));
    CHECK(known.status == 200);
    CHECK(known.length == content.size());
  }
  CHECK_FALSE(holds_blob(b, layer));
  auto manifest = image_of(Digest::of("{}"), {Digest::of(layer)});
  manifest["annotations"]["pushed"] = "again";
  CHECK(push_manifest(b, "app", "v2", manifest.dump()).status == 201);
  CHECK(holds_blob(b, layer));
  CHECK(read_blob(*b.store, repo("app"), Digest::of(layer)) == layer);
  CHECK(a.get("/v2/app/manifests/v2").body == manifest.dump());
}

TEST_CASE_METHOD(SharedManifestsTest,
                 "What no node has is named, and what cannot be asked for is "
                 "a matter of time",
                 "[cluster]") {
  push_image(a, "app", "v1", "layer");
  const auto absent = Digest::of("nowhere");
  const auto refused = push_manifest(b, "app", "v2", image_of(Digest::of("{}"), {absent}).dump());
  CHECK(refused.status == 400);
  const auto errors = refused.json()["errors"];
  REQUIRE(errors.size() == 1);
  CHECK(errors[0]["detail"]["digest"] == absent.to_string());

  const auto text = image_of(Digest::of("{}"), {Digest::of("layer")}).dump();
  beyond_b.holder_away = true;
  const auto later = push_manifest(b, "app", "v2", text);
  CHECK(later.status == 503);
  CHECK_FALSE(later.header("Retry-After").empty());
  beyond_b.holder_away = false;
  CHECK(push_manifest(b, "app", "v2", text).status == 201);
}

TEST_CASE_METHOD(SharedManifestsTest, "The children of an index are brought where they are known",
                 "[cluster]") {
  const auto child = push_image(a, "app", "child", "layer");
  const nlohmann::json index = {{"schemaVersion", 2},
                                {"mediaType", kIndexType},
                                {"manifests",
                                 {descriptor_of(Digest::of("comes later"), 5, kManifestType),
                                  descriptor_of(Digest::of(child), child.size(), kManifestType)}}};
  CHECK(push_manifest(b, "app", "v1", index.dump(), kIndexType).status == 201);
  CHECK(holds(b, child));
  CHECK(a.get("/v2/app/manifests/v1").body == index.dump());
  // A holder that is away is no reason to refuse what may come later.
  const auto other = push_image(a, "app", "other", "other layer");
  beyond_b.holder_away = true;
  const nlohmann::json second = {
      {"schemaVersion", 2},
      {"mediaType", kIndexType},
      {"manifests", {descriptor_of(Digest::of(other), other.size(), kManifestType)}}};
  CHECK(push_manifest(b, "app", "v2", second.dump(), kIndexType).status == 201);
  CHECK_FALSE(holds(b, other));
}

TEST_CASE_METHOD(SharedManifestsTest, "A manifest that was fetched keeps the blobs that come later",
                 "[cluster]") {
  const auto text = push_image(a, "app", "v1", "layer");
  REQUIRE(b.get("/v2/app/manifests/v1").status == 200);
  CHECK_FALSE(holds_blob(b, "layer"));
  REQUIRE(b.get("/v2/app/blobs/" + digest_of("layer")).status == 200);
  for (int i = 0; i < 5; ++i) {
    b.clock.advance(std::chrono::hours(24 * 30));
    REQUIRE(b.store->collector().collect(false));
  }
  CHECK(b.store->blobs().stat_any(Digest::of("layer"), Wait::yes));
  CHECK(holds(b, text));
}

TEST_CASE_METHOD(SharedManifestsTest, "A fetched manifest must be what its digest says",
                 "[cluster]") {
  const auto text = image_of(Digest::of("{}"), {Digest::of("layer")}).dump();
  const auto store = [&](const Digest& digest, const std::string& content) {
    return store_fetched_manifest(*a.store, repo("app"), digest, content, kManifestType,
                                  {tag_named("v1")});
  };
  CHECK(store(Digest::of("other"), text).error().code == Errc::digest_invalid);
  CHECK(store(Digest::of("no manifest"), "no manifest").error().code == Errc::manifest_invalid);
  CHECK_FALSE(own_tag(a, "v1"));
  const auto stored = store(Digest::of(text, Algorithm::sha512), text);
  REQUIRE(stored);
  CHECK(stored->size == text.size());
  CHECK(own_tag(a, "v1") == Digest::of(text, Algorithm::sha512));
}

}  // namespace
}  // namespace shoal

#include "registry/peer_api.h"

#include <catch2/catch.hpp>

#include "tests/registry/api_test.h"

namespace shoal {
namespace {

struct PeerApiTest : ApiTest {
  /// The answer of the API between nodes.
  Answer ask(Method method, const std::string& target, const Fields& fields = {}) {
    Request request;
    request.method = method;
    request.target = "/cluster/v1/" + target;
    REQUIRE(parse_target(request.target, request.path, request.query));
    for (const auto& [name, value] : fields) request.headers.add(name, value);
    TestBody body("");
    request.body = &body;
    PeerApi api(*store, disk);
    return run(exchange(api, request));
  }

  std::string push_image(const std::string& name) {
    const auto text = image_of(push_blob(name, "{}"), {push_blob(name, "layer")}).dump(2);
    REQUIRE(put("/v2/" + name + "/manifests/v1", text, {{"Content-Type", kManifestType}}).status ==
            201);
    return text;
  }
  static std::string manifest_of(const std::string& name, const std::string& text) {
    return "manifests?repository=" + percent_encode(name) +
           "&digest=" + percent_encode(Digest::of(text).to_string());
  }
};

TEST_CASE_METHOD(PeerApiTest, "A peer gets a blob of whatever repository, in ranges too",
                 "[cluster]") {
  const auto content = random_bytes(500'000, 3);
  const auto path = "blobs/" + push_blob("team/app", content).to_string();
  const auto whole = ask(Method::get, path);
  CHECK(whole.status == 200);
  CHECK(whole.body == content);
  const auto part = ask(Method::get, path, {{"Range", "bytes=400000-"}});
  CHECK(part.status == 206);
  CHECK(part.header("Content-Range") == "bytes 400000-499999/500000");
  CHECK(part.body == content.substr(400'000));
  CHECK(ask(Method::get, path, {{"Range", "bytes=500000-"}}).status == 416);
  const auto headed = ask(Method::head, path);
  CHECK(headed.status == 200);
  CHECK(headed.body.empty());
  CHECK(headed.length == content.size());
}

TEST_CASE_METHOD(PeerApiTest, "A peer is told clearly what is not here", "[cluster]") {
  const auto text = push_image("app");
  for (const auto method : {Method::get, Method::head}) {
    CHECK(ask(method, "blobs/" + Digest::of("nowhere").to_string()).code() == "BLOB_UNKNOWN");
    CHECK(ask(method, "blobs/sha256:short").code() == "DIGEST_INVALID");
    CHECK(ask(method, manifest_of("app", "nowhere")).code() == "MANIFEST_UNKNOWN");
    CHECK(ask(method, manifest_of("other", text)).status == 404);
    CHECK(ask(method, manifest_of("APP", text)).code() == "NAME_INVALID");
    CHECK(ask(method, "manifests?repository=app").code() == "DIGEST_INVALID");
    CHECK(ask(method, "manifests/other").status == 404);
    CHECK(ask(method, "other").status == 404);
  }
  CHECK(ask(Method::delete_, manifest_of("app", text)).header("Allow") == "GET, HEAD");
  CHECK(ask(Method::put, "blobs/" + Digest::of("{}").to_string()).status == 405);
}

TEST_CASE_METHOD(PeerApiTest, "A peer gets a manifest with its type, byte for byte", "[cluster]") {
  const auto text = push_image("team/app");
  const auto answer = ask(Method::get, manifest_of("team/app", text));
  CHECK(answer.status == 200);
  CHECK(answer.body == text);
  CHECK(answer.header("Content-Type") == kManifestType);
  CHECK(answer.header("Docker-Content-Digest") == Digest::of(text).to_string());
  const auto headed = ask(Method::head, manifest_of("team/app", text));
  CHECK(headed.status == 200);
  CHECK(headed.body.empty());
  CHECK(headed.length == text.size());
}

TEST_CASE_METHOD(PeerApiTest, "What a peer was told to be here is kept for the grace period",
                 "[cluster]") {
  const auto told = push_blob("app", "told");
  const auto untold = push_blob("app", "untold");
  const auto method = GENERATE(Method::get, Method::head);
  clock.advance(std::chrono::hours(3));
  CHECK(ask(method, "blobs/" + told.to_string()).status == 200);
  REQUIRE(store->collector().collect(false));
  CHECK(store->blobs().stat_any(told, Wait::yes));
  CHECK_FALSE(store->blobs().stat_any(untold, Wait::yes));
  clock.advance(std::chrono::hours(3));
  REQUIRE(store->collector().collect(false));
  CHECK_FALSE(store->blobs().stat_any(told, Wait::yes));
}

}  // namespace
}  // namespace shoal

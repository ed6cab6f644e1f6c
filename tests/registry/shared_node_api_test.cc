// The node's own API in a cluster: the images of all nodes.

#include <catch2/catch.hpp>

#include "registry/node_api.h"
#include "tests/registry/elsewhere_fixture.h"

namespace shoal {
namespace {

using Json = nlohmann::json;

struct SharedNodeApiTest : TwoNodes {
  ~SharedNodeApiTest() { node.stop(); }

  /// What node `b` answers.
  Answer ask(Method method, const std::string& target) {
    Request request;
    request.method = method;
    REQUIRE(parse_target("/shoal/v1/" + target, request.path, request.query));
    TestBody body("");
    request.body = &body;
    return run(ApiTest::exchange(node, request));
  }

  NodeApi node{*b.store, b.disk, "1.2.3", &beyond_b, b.remote};
};

TEST_CASE_METHOD(SharedNodeApiTest, "The images of all nodes are listed, and marked where absent",
                 "[cluster]") {
  const auto text = push_image(a, "app", "v1", "one");
  push_image(b, "app", "v2", "two");
  push_image(a, "base", "v1", "three");
  const Json images = ask(Method::get, "images").json()["images"];
  REQUIRE(images.size() == 3);
  CHECK(images[0]["tag"] == "v1");
  CHECK(images[0]["digest"] == Digest::of(text).to_string());
  CHECK(images[0]["present"] == false);
  CHECK_FALSE(images[0].contains("size"));
  CHECK(images[1]["tag"] == "v2");
  CHECK(images[1]["present"] == true);
  CHECK(images[1]["size"].get<int>() > 0);
  CHECK(images[2]["repository"] == "base");
  CHECK(ask(Method::get, "images?repository=base").json()["images"].size() == 1);

  std::vector<std::string> seen;
  for (std::string last;;) {
    const Json page = ask(Method::get, "images?n=1&last=" + percent_encode(last)).json();
    for (const Json& image : page["images"]) {
      seen.push_back(image["repository"].get<std::string>() + ':' +
                     image["tag"].get<std::string>());
    }
    if (!page.contains("next")) break;
    last = page["next"];
  }
  CHECK(seen == std::vector<std::string>{"app:v1", "app:v2", "base:v1"});
}

TEST_CASE_METHOD(SharedNodeApiTest, "Without the shared names, what is here is listed as stale",
                 "[cluster]") {
  push_image(a, "app", "v1", "one");
  push_image(b, "app", "v2", "two");
  CHECK_FALSE(is_stale(ask(Method::get, "images")));
  names_away(true);
  const auto answer = ask(Method::get, "images");
  CHECK(is_stale(answer));
  CHECK(answer.json()["stale"] == true);
  CHECK(answer.json()["images"].size() == 1);
  const auto image = ask(Method::get, "images/inspect?name=app:v2");
  CHECK(image.status == 200);
  CHECK(is_stale(image));
  CHECK(ask(Method::get, "images/inspect?name=app:v1").status == 503);
}

TEST_CASE_METHOD(SharedNodeApiTest, "An image of another node is shown as if it were here",
                 "[cluster]") {
  const auto text = push_image(a, "app", "v1", "layer");
  const auto name =
      GENERATE_COPY(as<std::string>{}, "app:v1", "app@" + Digest::of(text).to_string());
  const auto answer = ask(Method::get, "images/inspect?name=" + percent_encode(name));
  CHECK(answer.status == 200);
  const Json image = answer.json();
  CHECK(image["digest"] == Digest::of(text).to_string());
  CHECK(image["config"]["present"] == true);
  CHECK(image["layers"][0]["present"] == false);
  CHECK(image["manifest"] == Json::parse(text));
  CHECK(ask(Method::get, "images/inspect?name=app:v9").code() == "MANIFEST_UNKNOWN");
}

TEST_CASE_METHOD(SharedNodeApiTest, "An image that is removed by tag loses the tag everywhere",
                 "[cluster]") {
  const auto text = push_image(a, "app", "v1", "layer");
  TwoNodes::push_manifest(a, "app", "v2", text);
  REQUIRE(b.get("/v2/app/manifests/v1").status == 200);
  // Another tag names it, which this node has never seen.
  CHECK(ask(Method::delete_, "images?name=app:v1").json()["manifest_removed"] == false);
  CHECK(a.get("/v2/app/manifests/v1").status == 404);
  CHECK(b.store->manifests().stat(repo("app"), Digest::of(text), Wait::yes));
  CHECK(ask(Method::delete_, "images?name=app:v2").json()["manifest_removed"] == true);
  CHECK_FALSE(b.store->manifests().stat(repo("app"), Digest::of(text), Wait::yes));
  CHECK(ask(Method::delete_, "images?name=app:v2").code() == "MANIFEST_UNKNOWN");
  names_away(true);
  CHECK(ask(Method::delete_, "images?name=app:v2").status == 503);
}

TEST_CASE_METHOD(SharedNodeApiTest, "An image that is removed by digest is gone everywhere",
                 "[cluster]") {
  const auto text = push_image(a, "app", "v1", "layer");
  const auto name = "images?name=app@" + Digest::of(text).to_string();
  CHECK(ask(Method::delete_, name).json()["manifest_removed"] == true);
  CHECK(a.get("/v2/app/manifests/v1").status == 404);
  CHECK(ask(Method::delete_, name).status == 404);
}

}  // namespace
}  // namespace shoal

// Blobs of a node in a cluster: two nodes, each with a store of its own.

#include <future>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include <catch2/catch.hpp>

#include "tests/registry/elsewhere_fixture.h"

namespace shoal {
namespace {

struct SharedBlobsTest : TwoNodes {
  static std::string url_of(const Digest& digest, const std::string& name = "app") {
    return "/v2/" + name + "/blobs/" + digest.to_string();
  }
  static bool holds(const ApiTest& node, const Digest& digest, const std::string& name = "app") {
    return node.store->blobs().stat(repo(name), digest, Wait::yes).has_value();
  }
  static Answer mount(ApiTest& node, const std::string& name, const Digest& digest,
                      const std::string& from = "") {
    return node.send(Method::post, "/v2/" + name + "/blobs/uploads/?mount=" + digest.to_string() +
                                       (from.empty() ? "" : "&from=" + from));
  }

  const std::string content = random_bytes(900'000, 7);
};

TEST_CASE_METHOD(SharedBlobsTest, "A blob of another node is answered as if it were here",
                 "[cluster]") {
  const auto url = url_of(a.push_blob("app", content));
  const auto etag = a.head(url).header("ETag");
  const auto fields =
      GENERATE_COPY(Fields{}, Fields{{"Range", "bytes=0-99"}}, Fields{{"Range", "bytes=899990-"}},
                    Fields{{"Range", "bytes=-300000"}}, Fields{{"Range", "bytes=900000-"}},
                    Fields{{"Range", "nonsense"}}, Fields{{"If-None-Match", etag}},
                    Fields{{"Range", "bytes=5-9"}, {"If-Range", "\"other\""}});
  check_equal(b.head(url, fields), a.head(url, fields));
  check_equal(b.get(url, fields), a.get(url, fields));
}

TEST_CASE_METHOD(SharedBlobsTest, "Several ranges of a blob of another node come in their order",
                 "[cluster]") {
  const auto url = url_of(a.push_blob("app", content));
  const auto answer = b.get(url, {{"Range", "bytes=500000-500009,0-4"}});
  CHECK(answer.status == 206);
  CHECK(answer.length == answer.body.size());
  const auto second = answer.body.find(content.substr(0, 5));
  const auto first = answer.body.find(content.substr(500'000, 10));
  REQUIRE(first != std::string::npos);
  REQUIRE(second != std::string::npos);
  CHECK(first < second);
}

TEST_CASE_METHOD(SharedBlobsTest, "A deleted blob is gone on all nodes that have it", "[cluster]") {
  const auto url = url_of(a.push_blob("app", content));
  CHECK(b.get(url).body == content);
  const bool also_here = GENERATE(true, false);
  const auto there = url_of(a.push_blob("app", "held by one"));
  CHECK(b.send(Method::delete_, also_here ? url : there).status == 202);
  CHECK(b.get(also_here ? url : there).status == 404);
  CHECK(a.get(also_here ? url : there).status == 404);
  CHECK(b.get(also_here ? there : url).status == 200);
  CHECK(b.send(Method::delete_, also_here ? url : there).status == 404);
}

TEST_CASE_METHOD(SharedBlobsTest, "What was read to its end is served from here", "[cluster]") {
  const auto digest = a.push_blob("app", content);
  CHECK(b.get(url_of(digest)).body == content);
  beyond_b.holder_away = true;
  CHECK(b.get(url_of(digest)).body == content);
  CHECK(beyond_b.transfers == 1);
}

TEST_CASE_METHOD(SharedBlobsTest, "What is here is served without a question to anybody",
                 "[cluster]") {
  const auto digest = b.push_blob("app", content);
  names_away(true);
  beyond_b.holder_away = true;
  CHECK(b.get(url_of(digest)).body == content);
  CHECK(b.head(url_of(digest)).status == 200);
}

TEST_CASE_METHOD(SharedBlobsTest,
                 "What no node has is unknown, and a silent holder a matter of "
                 "time",
                 "[cluster]") {
  const auto digest = a.push_blob("app", content);
  for (const auto method : {Method::get, Method::head}) {
    CHECK(b.send(method, url_of(Digest::of("nowhere"))).code() == "BLOB_UNKNOWN");
    CHECK(b.send(method, url_of(digest, "other")).status == 404);
    beyond_b.holder_away = true;
    const auto later = b.send(method, url_of(digest));
    CHECK(later.status == 503);
    CHECK_FALSE(later.header("Retry-After").empty());
    beyond_b.holder_away = false;
  }
}

TEST_CASE_METHOD(SharedBlobsTest, "A transfer that breaks off is seen as broken", "[cluster]") {
  const auto digest = a.push_blob("app", content);
  int reads = 0;
  beyond_b.on_read = [&] { beyond_b.holder_away = ++reads > 2; };
  const auto answer = b.get(url_of(digest));
  CHECK(answer.status == 200);
  CHECK(answer.length == content.size());
  REQUIRE(answer.broken);
  CHECK(answer.broken->code == Errc::unavailable);
  CHECK(answer.body == content.substr(0, answer.body.size()));
  CHECK(answer.body.size() < content.size());
  CHECK_FALSE(holds(b, digest));
}

TEST_CASE_METHOD(SharedBlobsTest, "Content that another repository holds here is not fetched",
                 "[cluster]") {
  const auto digest = b.push_blob("base", content);
  const bool by_get = GENERATE(true, false);
  const auto ask = [&] { return by_get ? b.get(url_of(digest)) : b.head(url_of(digest)); };
  SECTION("when the repository has it in the cluster") {
    a.push_blob("app", content);
    CHECK(ask().status == 200);
    CHECK(holds(b, digest));
  }
  SECTION("when a manifest of the repository names it") {
    const auto text = image_of(Digest::of("{}"), {digest}).dump();
    store_fetched_manifest(*b.store, repo("app"), Digest::of(text), text, kManifestType, {})
        .value();
    beyond_b.holder_away = true;
    CHECK(ask().status == 200);
    CHECK(holds(b, digest));
  }
  SECTION("and not shown either, when the repository does not have it") {
    CHECK(ask().status == 404);
    CHECK_FALSE(holds(b, digest));
  }
  CHECK(beyond_b.transfers == 0);
}

TEST_CASE_METHOD(SharedBlobsTest, "A mount brings what only another node has", "[cluster]") {
  const auto digest = a.push_blob("base", content);
  CHECK(mount(b, "app", Digest::of("nowhere"), "base").status == 202);
  CHECK(mount(b, "app", digest).status == 202);  // Nobody said where it might be.
  const auto mounted = mount(b, "app", digest, "base");
  CHECK(mounted.status == 201);
  CHECK(mounted.header("Location") == url_of(digest));
  CHECK(holds(b, digest));
  CHECK(read_blob(*b.store, repo("app"), digest) == content);
  // Again elsewhere: it is here by now.
  beyond_b.holder_away = true;
  CHECK(mount(b, "other", digest, "base").status == 201);
  CHECK(mount(b, "more", digest).status == 201);
  CHECK(beyond_b.transfers == 1);
}

TEST_CASE_METHOD(SharedBlobsTest, "A mount that no node can serve opens a session", "[cluster]") {
  const auto digest = a.push_blob("base", content);
  beyond_b.holder_away = true;
  const auto answer = mount(b, "app", digest, "base");
  CHECK(answer.status == 202);
  CHECK_FALSE(answer.header("Location").empty());
}

TEST_CASE_METHOD(SharedBlobsTest, "What was dropped here comes back from another node",
                 "[cluster]") {
  const auto digest = a.push_blob("app", content);
  const auto text = image_of(b.push_blob("app", "{}"), {b.push_blob("app", content)}).dump();
  REQUIRE(push_manifest(b, "app", "v1", text).status == 201);
  REQUIRE(b.store->blobs().remove(repo("app"), digest));
  CHECK(b.get(url_of(digest)).body == content);
  CHECK(holds(b, digest));
}

TEST_CASE_METHOD(SharedBlobsTest, "Peers that do not answer do not hold up the disk", "[cluster]") {
  const auto slow = a.push_blob("app", content);
  const auto other = random_bytes(700'000, 8);
  const auto quick = b.push_blob("app", other);
  std::promise<void> answered;
  const auto answers = answered.get_future().share();
  std::atomic<int> waiting{0};
  beyond_b.on_read = [&] {
    ++waiting;
    answers.wait();
  };
  // As many clients as there are threads for remote work wait for the peer.
  asio::io_context loop;
  std::vector<Request> requests(2);
  std::vector<std::string> bodies(requests.size());
  std::vector<TestBody> empty(requests.size(), TestBody(""));
  RegistryApi api(*b.store, b.disk, b.registry_config, &beyond_b, b.remote);
  const auto pull = [&](std::size_t i) -> asio::awaitable<void> {
    requests[i].method = Method::get;
    requests[i].path = url_of(slow);
    requests[i].body = &empty[i];
    requests[i].executor = loop.get_executor();
    auto response = co_await api.serve(requests[i]);
    auto& body = std::get<std::unique_ptr<ResponseBody>>(response.body);
    for (;;) {
      const auto piece = co_await body->next();
      if (!piece || piece->empty()) co_return;
      for (const auto bytes : *piece) bodies[i] += bytes;
    }
  };
  for (std::size_t i = 0; i < requests.size(); ++i) {
    asio::co_spawn(loop, pull(i), asio::detached);
  }
  std::thread clients([&] { loop.run(); });
  while (waiting < 2) std::this_thread::yield();
  CHECK(b.get(url_of(quick)).body == other);
  const auto pushed = b.push_blob("app", "pushed meanwhile");
  CHECK(b.get(url_of(pushed)).body == "pushed meanwhile");
  answered.set_value();
  clients.join();
  for (const auto& body : bodies) CHECK(body == content);
}

}  // namespace
}  // namespace shoal

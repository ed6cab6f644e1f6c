#include "registry/node_api.h"

#include <future>

#include <catch2/catch.hpp>

#include "tests/registry/api_test.h"

namespace shoal {
namespace {

using Catch::Contains;
using Json = nlohmann::json;

/// The node's API beside the registry API, on one store and without a socket.
struct NodeApiTest : ApiTest {
  NodeApiTest() : node(*store, disk, "1.2.3") {}
  ~NodeApiTest() { node.stop(); }

  Request request_for(Method method, const std::string& target, const Fields& fields) {
    Request request;
    request.method = method;
    request.target = target;
    REQUIRE(parse_target(target, request.path, request.query));
    for (const auto& [name, value] : fields) request.headers.add(name, value);
    return request;
  }

  /// The answer, streamed to its end.
  Answer ask(Method method, const std::string& target, const Fields& fields = {}) {
    Request request = request_for(method, "/shoal/v1/" + target, fields);
    return run(exchange(node, request));
  }
  Json get_json(const std::string& target) {
    const Answer answer = ask(Method::get, target);
    INFO(answer.body);
    REQUIRE(answer.status == 200);
    return answer.json();
  }

  /// An image of one layer and a config for linux/amd64.
  Digest push_image(const std::string& repository, const std::string& tag, const std::string& layer,
                    std::optional<Digest> subject = std::nullopt) {
    const std::string config_text =
        R"({"os":"linux","architecture":"amd64","created":"2026-01-02T03:04:05Z",)"
        R"("config":{"Cmd":["/bin/sh"],"Env":["A=b"],"User":""}})";
    const Digest config_digest = push_blob(repository, config_text);
    const Digest layer_digest = push_blob(repository, layer);
    Json manifest = image_of(config_digest, {layer_digest});
    manifest["config"]["size"] = config_text.size();
    manifest["layers"][0]["size"] = layer.size();
    if (subject) manifest["subject"] = descriptor_of(*subject, 1, kManifestType);
    return push_document(repository, tag, manifest.dump(), kManifestType);
  }
  Digest push_document(const std::string& repository, const std::string& tag,
                       const std::string& text, const std::string& type) {
    const Digest digest = Digest::of(text);
    const std::string reference = tag.empty() ? digest.to_string() : tag;
    const auto answer =
        put("/v2/" + repository + "/manifests/" + reference, text, {{"Content-Type", type}});
    INFO(answer.body);
    REQUIRE(answer.status == 201);
    return digest;
  }

  std::vector<std::string> names(const Json& images) {
    std::vector<std::string> list;
    for (const Json& image : images) {
      list.push_back(image["repository"].get<std::string>() + ":" +
                     image["tag"].get<std::string>());
    }
    return list;
  }

  NodeApi node;
};

TEST_CASE_METHOD(NodeApiTest, "The node says which version it is and how it stands", "[node_api]") {
  CHECK(get_json("version") == Json{{"version", "1.2.3"}, {"api", 1}});
  push_blob("app", "hello");
  const Json status = get_json("status");
  CHECK(status["blobs"] == 1);
  CHECK(status["last_event"] == store->events().last());
}

TEST_CASE_METHOD(NodeApiTest, "What is not there is 404 and what is not allowed 405",
                 "[node_api]") {
  CHECK(ask(Method::get, "nothing").status == 404);
  CHECK(ask(Method::get, "").status == 404);
  CHECK(ask(Method::post, "images").header("Allow") == "GET, HEAD, DELETE");
  CHECK(ask(Method::get, "gc").header("Allow") == "POST");
  CHECK(ask(Method::get, "scrub").status == 405);
  CHECK(ask(Method::delete_, "usage").status == 405);
}

TEST_CASE_METHOD(NodeApiTest, "Images are listed with their whole size and platforms",
                 "[node_api]") {
  const Digest digest = push_image("team/app", "1", std::string(5000, 'x'));
  const Json images = get_json("images")["images"];
  REQUIRE(images.size() == 1);
  const Json& image = images[0];
  CHECK(image["repository"] == "team/app");
  CHECK(image["tag"] == "1");
  CHECK(image["digest"] == digest.to_string());
  CHECK(image["platforms"] == Json{"linux/amd64"});
  const auto manifest = store->manifests().get(repo("team/app"), digest, Wait::yes);
  const Json parsed = Json::parse(manifest->content.view());
  CHECK(image["size"] == manifest->info.size + 5000 + parsed["config"]["size"].get<std::size_t>());
}

TEST_CASE_METHOD(NodeApiTest, "Every image is in exactly one page, whatever the pages' size",
                 "[node_api]") {
  for (const auto* tag : {"1", "2", "3"}) push_image("a", tag, "one");
  push_image("b", "x", "two");
  push_blob("c", "a repository without tags");
  push_image("d/e", "latest", "three");
  const std::vector<std::string> all = {"a:1", "a:2", "a:3", "b:x", "d/e:latest"};
  for (std::size_t size = 1; size <= all.size() + 1; ++size) {
    std::vector<std::string> seen;
    for (std::string last = "";;) {
      const Json page =
          get_json("images?n=" + std::to_string(size) + "&last=" + percent_encode(last));
      CHECK(page["images"].size() <= size);
      for (const auto& name : names(page["images"])) seen.push_back(name);
      if (!page.contains("next")) break;
      last = page["next"];
    }
    CHECK(seen == all);
  }
}

TEST_CASE_METHOD(NodeApiTest, "The images of one repository are listed alone", "[node_api]") {
  push_image("a", "1", "one");
  push_image("a", "2", "one");
  push_image("ab", "1", "one");
  CHECK(names(get_json("images?repository=a")["images"]) == std::vector<std::string>{"a:1", "a:2"});
  const Json page = get_json("images?repository=a&n=1");
  CHECK(page["next"] == "a:1");
  CHECK(names(get_json("images?repository=a&n=1&last=a:1")["images"]) ==
        std::vector<std::string>{"a:2"});
  CHECK(ask(Method::get, "images?repository=none").status == 404);
  CHECK(ask(Method::get, "images?repository=A").code() == "NAME_INVALID");
  CHECK(ask(Method::get, "images?n=0").status == 400);
  CHECK(ask(Method::get, "images?n=x").status == 400);
}

TEST_CASE_METHOD(NodeApiTest, "An image is shown with config, layers and referrers", "[node_api]") {
  const Digest digest = push_image("app", "1", "the layer");
  const Digest signature = push_image("app", "", "the signature", digest);
  const Json image = get_json("images/inspect?name=127.0.0.1:5000/app:1");
  CHECK(image["name"] == "app:1");
  CHECK(image["digest"] == digest.to_string());
  CHECK(image["config"]["cmd"] == Json{"/bin/sh"});
  CHECK(image["config"]["env"] == Json{"A=b"});
  CHECK(image["config"]["created"] == "2026-01-02T03:04:05Z");
  CHECK_FALSE(image["config"].contains("user"));
  REQUIRE(image["layers"].size() == 1);
  CHECK(image["layers"][0]["digest"] == Digest::of("the layer").to_string());
  CHECK(image["layers"][0]["present"] == true);
  REQUIRE(image["referrers"].size() == 1);
  CHECK(image["referrers"][0]["digest"] == signature.to_string());
  CHECK(image["manifest"]["schemaVersion"] == 2);
}

TEST_CASE_METHOD(NodeApiTest, "An index counts what its platforms share once", "[node_api]") {
  const Digest one = push_image("app", "", "shared layer");
  const Digest missing = Digest::of("was never pushed");
  Json index = {{"schemaVersion", 2}, {"mediaType", kIndexType}, {"manifests", Json::array()}};
  for (const auto* architecture : {"amd64", "arm64"}) {
    Json child = descriptor_of(one, 1, kManifestType);
    child["platform"] = {{"os", "linux"}, {"architecture", architecture}};
    index["manifests"].push_back(child);
  }
  Json child = descriptor_of(missing, 7, kManifestType);
  child["platform"] = {{"os", "unknown"}, {"architecture", "unknown"}};
  index["manifests"].push_back(child);
  push_document("app", "multi", index.dump(), kIndexType);

  const Json image = get_json("images/inspect?name=app:multi");
  CHECK(image["manifests"][0]["platform"] == "linux/amd64");
  CHECK(image["manifests"][1]["platform"] == "linux/arm64");
  CHECK(image["manifests"][0]["present"] == true);
  CHECK(image["manifests"][2]["present"] == false);
  CHECK(image["size"] ==
        index.dump().size() + image["manifests"][0]["image_size"].get<std::size_t>());
  CHECK(image["platforms"].size() >= 1);
}

TEST_CASE_METHOD(NodeApiTest, "An image that is not there is 404, a wrong name 400", "[node_api]") {
  push_image("app", "1", "layer");
  for (const Method method : {Method::get, Method::delete_}) {
    const std::string path = method == Method::get ? "images/inspect" : "images";
    CHECK(ask(method, path + "?name=app:2").code() == "MANIFEST_UNKNOWN");
    CHECK(ask(method, path + "?name=none").code() == "NAME_UNKNOWN");
    CHECK(ask(method, path + "?name=APP").code() == "NAME_INVALID");
    CHECK(ask(method, path + "?name=app:..").code() == "TAG_INVALID");
    CHECK(ask(method, path + "?name=app@sha256:1").code() == "DIGEST_INVALID");
    CHECK(ask(method, path).code() == "NAME_INVALID");
  }
}

TEST_CASE_METHOD(NodeApiTest, "With its last tag an image goes, although it was signed",
                 "[node_api]") {
  const Digest digest = push_image("app", "1", "layer");
  push_document("app", "2",
                std::string(store->manifests().get(repo("app"), digest, Wait::yes)->content.view()),
                kManifestType);
  push_image("app", "", "signature", digest);
  CHECK(ask(Method::delete_, "images?name=app:1").json()["manifest_removed"] == false);
  CHECK(store->manifests().stat(repo("app"), digest, Wait::yes));
  CHECK(ask(Method::delete_, "images?name=app:2").json()["manifest_removed"] == true);
  CHECK_FALSE(store->manifests().stat(repo("app"), digest, Wait::yes));
}

TEST_CASE_METHOD(NodeApiTest, "An image that an index lists stays when its tag goes",
                 "[node_api]") {
  const Digest digest = push_image("app", "1", "layer");
  const Json index = {{"schemaVersion", 2},
                      {"mediaType", kIndexType},
                      {"manifests", {descriptor_of(digest, 1, kManifestType)}}};
  push_document("app", "multi", index.dump(), kIndexType);
  CHECK(ask(Method::delete_, "images?name=app:1").json()["manifest_removed"] == false);
  CHECK(store->manifests().stat(repo("app"), digest, Wait::yes));
}

TEST_CASE_METHOD(NodeApiTest, "By digest an image goes with all its tags", "[node_api]") {
  const Digest digest = push_image("app", "1", "layer");
  CHECK(ask(Method::delete_, "images?name=app@" + digest.to_string()).json()["manifest_removed"] ==
        true);
  CHECK(get_json("images")["images"].empty());
}

TEST_CASE_METHOD(NodeApiTest, "Usage counts what is on its way", "[node_api]") {
  const std::string content(100'000, 'x');
  const auto arrival = store->arrivals().open({Digest::of(content), content.size(), 64 << 10, ""});
  REQUIRE(arrival);
  const Json usage = get_json("usage")["usage"];
  CHECK(usage["arrivals"] == 1);
  CHECK(usage["arrival_bytes"] == content.size());
}

TEST_CASE_METHOD(NodeApiTest, "Usage counts the store and each repository", "[node_api]") {
  push_image("a", "1", "layer");
  push_image("b", "1", "layer");
  push_image("b", "2", "layer");
  push_image("b", "3", "another");
  const Json first = get_json("usage?n=1");
  CHECK(first["usage"]["blobs"] == store->usage().blobs);
  CHECK(first["usage"]["stored_bytes"] == store->usage().stored_bytes);
  CHECK(first["repositories"][0]["repository"] == "a");
  CHECK(first["next"] == "a");
  const Json second = get_json("usage?n=1&last=a");
  CHECK(second["repositories"][0]["tags"] == 3);
  CHECK(second["repositories"][0]["manifests"] == 2);
  CHECK_FALSE(second.contains("next"));
  const auto bytes = [](const Json& page) {
    return page["repositories"][0]["content_bytes"].get<int>();
  };
  CHECK(bytes(second) > bytes(first));
}

TEST_CASE_METHOD(NodeApiTest, "A collection frees what was deleted and says so last",
                 "[node_api]") {
  push_image("app", "1", std::string(100'000, 'x'));
  ask(Method::delete_, "images?name=app:1");
  const Answer answer = ask(Method::post, "gc?now=true");
  CHECK(answer.header("Content-Type") == "application/x-ndjson");
  const auto last_line = answer.body.substr(answer.body.rfind('\n', answer.body.size() - 2) + 1);
  CHECK(Json::parse(last_line)["result"]["blobs_dropped"] == 2);
  CHECK(store->usage().blobs == 0);
}

TEST_CASE_METHOD(NodeApiTest, "A scrub reads everything and says so last", "[node_api]") {
  push_image("app", "1", "layer");
  const Answer answer = ask(Method::post, "scrub");
  const auto last_line = answer.body.substr(answer.body.rfind('\n', answer.body.size() - 2) + 1);
  const Json result = Json::parse(last_line)["result"];
  CHECK(result["complete"] == true);
  CHECK(result["quarantined"].empty());
  CHECK(ask(Method::post, "scrub?rate=fast").status == 400);
}

TEST_CASE("A second run waits for its turn, and a client that leaves ends the first",
          "[node_api]") {
  LongRun runs("a scrub");
  asio::io_context loop;
  std::promise<void> ended;
  const auto work = [&](const LongRun::Report& report,
                        const std::atomic<bool>& stop) -> Result<std::string> {
    report("{\"n\":1}");
    while (!stop) std::this_thread::yield();
    ended.set_value();
    return std::string("{}");
  };
  auto first = runs.start(work, loop.get_executor());
  REQUIRE(first);
  const auto second = runs.start(work, loop.get_executor());
  REQUIRE_FALSE(second);
  CHECK(second.error().code == Errc::too_many);
  CHECK_THAT(second.error().message, Contains("a scrub"));

  first = fail(Errc::io, "the client left");
  ended.get_future().wait();
  runs.stop();
  const auto late = runs.start(work, loop.get_executor());
  REQUIRE_FALSE(late);
  CHECK(late.error().code == Errc::unavailable);
}

TEST_CASE("A run that fails ends its stream with an error document", "[node_api]") {
  LongRun runs("a scrub");
  const auto read_all = [&](LongRun::Job job) -> asio::awaitable<std::string> {
    const auto executor = co_await asio::this_coro::executor;
    auto response = runs.start(std::move(job), executor);
    auto& body = std::get<std::unique_ptr<ResponseBody>>(response->body);
    std::string text;
    for (;;) {
      const auto piece = co_await body->next();
      if (piece->empty()) co_return text;
      text += piece->front();
    }
  };
  const auto failing = [](const LongRun::Report&, const std::atomic<bool>&) -> Result<std::string> {
    return fail(Errc::io, "the disk is gone");
  };
  const auto throwing = [](const LongRun::Report&,
                           const std::atomic<bool>&) -> Result<std::string> {
    throw std::runtime_error("the disk is gone");
  };
  for (const LongRun::Job& job : {LongRun::Job(failing), LongRun::Job(throwing)}) {
    const std::string text = run(read_all(job));
    CHECK_THAT(text, Contains("\"errors\"") && Contains("the disk is gone"));
  }
}

/// The `id:` lines of a stream.
std::vector<std::uint64_t> ids(const std::string& stream) {
  std::vector<std::uint64_t> list;
  std::istringstream lines(stream);
  for (std::string line; std::getline(lines, line);) {
    if (line.rfind("id: ", 0) == 0) list.push_back(std::stoull(line.substr(4)));
  }
  return list;
}

TEST_CASE_METHOD(NodeApiTest, "The feed says what happened, in order", "[node_api]") {
  const Digest digest = push_image("app", "1", "layer");
  const Answer answer = ask(Method::get, "events?since=0&follow=false");
  CHECK(answer.header("Content-Type") == "text/event-stream");
  const auto seen = ids(answer.body);
  REQUIRE(seen.size() == store->events().last());
  for (std::size_t i = 0; i < seen.size(); ++i) CHECK(seen[i] == i + 1);
  CHECK_THAT(answer.body,
             Contains("event: blob_push\ndata: {\"sequence\":1,\"kind\":\"blob_push\""));
  CHECK_THAT(answer.body,
             Contains("event: tag\n") && Contains("\"tag\":\"1\"") && Contains(digest.to_string()));
}

TEST_CASE_METHOD(NodeApiTest, "A reader of the feed goes on where it stopped", "[node_api]") {
  push_image("app", "1", "layer");
  const auto last = store->events().last();
  CHECK(ids(ask(Method::get, "events?since=2&follow=false").body).front() == 3);
  const Fields resume = {{"Last-Event-ID", "3"}};
  CHECK(ids(ask(Method::get, "events?since=0&follow=false", resume).body).front() == 4);
  CHECK(ids(ask(Method::get, "events?follow=false").body).empty());
  CHECK(ids(ask(Method::get, "events?follow=false&since=" + std::to_string(last)).body).empty());
  CHECK(ask(Method::get, "events?since=x").status == 400);
}

TEST_CASE_METHOD(NodeApiTest, "A gap in the feed is 410 with the first event there is",
                 "[node_api]") {
  SECTION("before what is kept") {
    node.stop();
    config.events_kept = 5;
    reopen();
    NodeApi other(*store, disk, "1");
    // The oldest go some thousands at a time.
    for (int i = 0; i < 20'000 && store->events().after(0, 1); ++i) {
      push_manifest(*store, repo("app"), "same", {}, {});
    }
    REQUIRE_FALSE(store->events().after(0, 1));
    Request request = request_for(Method::get, "/shoal/v1/events?since=0", {});
    const auto ask_other = [&]() -> asio::awaitable<Response> {
      request.executor = co_await asio::this_coro::executor;
      co_return co_await other.serve(request);
    };
    const Response response = run(ask_other());
    CHECK(response.status == 410);
    const Json error = Json::parse(std::get<std::string>(response.body))["errors"][0];
    CHECK(error["code"] == "EVENTS_COMPACTED");
    const std::uint64_t first = error["detail"]["first"];
    CHECK(store->events().after(first - 1, 1).value().front().sequence == first);
    CHECK_FALSE(store->events().after(first - 2, 1));
  }
  SECTION("after what has happened, as in another store") {
    push_blob("app", "x");
    const Answer answer = ask(Method::get, "events?since=1000");
    CHECK(answer.status == 410);
    CHECK(answer.json()["errors"][0]["detail"]["first"] == store->events().last() + 1);
  }
}

TEST_CASE_METHOD(NodeApiTest, "A waiting reader gets a change when it happens", "[node_api]") {
  Request request = request_for(Method::get, "/shoal/v1/events", {});
  const auto follow = [&]() -> asio::awaitable<std::string> {
    request.executor = co_await asio::this_coro::executor;
    auto response = co_await node.serve(request);
    auto& body = std::get<std::unique_ptr<ResponseBody>>(response.body);
    std::string text;
    auto piece = co_await body->next();  // The greeting.
    std::thread pusher([&] { push(*store, repo("app"), "hello", Digest::of("hello")).value(); });
    piece = co_await body->next();
    text += piece->front();
    pusher.join();
    node.stop();  // Ends the stream: the node shuts down.
    for (;;) {
      piece = co_await body->next();
      if (piece->empty()) co_return text;
    }
  };
  const std::string text = run(follow());
  CHECK_THAT(text, Contains("blob_push") && Contains(Digest::of("hello").to_string()));
  CHECK(ask(Method::get, "events").status == 503);
}

}  // namespace
}  // namespace shoal

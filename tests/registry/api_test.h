#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/this_coro.hpp>
#include <boost/asio/thread_pool.hpp>
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "registry/api.h"
#include "registry/http/target.h"
#include "tests/run.h"
#include "tests/storage/fixture.h"

namespace shoal {

/// A request body from memory: of known length, chunked, or of a client that leaves in the middle.
class TestBody : public RequestBody {
 public:
  explicit TestBody(std::string content) : content_(std::move(content)) {}

  std::optional<std::uint64_t> length() const override { return announced; }

  asio::awaitable<Result<std::size_t>> read(std::span<char> buffer) override {
    const auto count = std::min(buffer.size(), content_.size() - at_);
    std::copy_n(content_.data() + at_, count, buffer.data());
    at_ += count;
    bytes_read += count;
    if (count < buffer.size() && vanishes) co_return fail(Errc::size_invalid, "the peer left");
    co_return count;
  }

  std::optional<std::uint64_t> announced;  // Content-Length; nothing for a chunked body.
  bool vanishes = false;                   // At the end, in the middle of what was announced.
  std::size_t bytes_read = 0;

 private:
  std::string content_;
  std::size_t at_ = 0;
};

/// What came back, all of it.
struct Answer {
  int status = 0;
  Headers headers;
  std::string body;
  std::optional<std::uint64_t> length;
  std::optional<Error> broken;  // The body ended with an error.

  std::string header(std::string_view name) const {
    return std::string(headers.find(name).value_or(""));
  }
  nlohmann::json json() const { return nlohmann::json::parse(body); }
  /// The first error's code; empty when the body is no error document.
  std::string code() const {
    const auto document = nlohmann::json::parse(body, nullptr, false);
    if (!document.is_object() || !document.contains("errors")) return "";
    return document["errors"][0]["code"];
  }
};

using Fields = std::vector<std::pair<std::string, std::string>>;

/// The whole API on a real store, called without a socket.
struct ApiTest : StoreTest {
  Answer send(Method method, const std::string& target, TestBody& body, const Fields& fields = {}) {
    Request request;
    request.method = method;
    request.target = target;
    REQUIRE(parse_target(target, request.path, request.query));
    for (const auto& [name, value] : fields) request.headers.add(name, value);
    request.body = &body;
    RegistryApi api(*store, disk, registry_config, elsewhere, remote);
    return run(exchange(api, request));
  }
  /// With a body of known length.
  Answer send(Method method, const std::string& target, const std::string& content = "",
              const Fields& fields = {}) {
    TestBody body(content);
    body.announced = content.size();
    return send(method, target, body, fields);
  }
  Answer get(const std::string& target, const Fields& fields = {}) {
    return send(Method::get, target, "", fields);
  }
  Answer head(const std::string& target, const Fields& fields = {}) {
    return send(Method::head, target, "", fields);
  }
  Answer put(const std::string& target, const std::string& content, const Fields& fields = {}) {
    return send(Method::put, target, content, fields);
  }
  Answer patch(const std::string& target, const std::string& content, const Fields& fields = {}) {
    return send(Method::patch, target, content, fields);
  }

  Digest push_blob(const std::string& name, const std::string& content,
                   Algorithm algorithm = Algorithm::sha256) {
    const auto digest = Digest::of(content, algorithm);
    const auto answer =
        send(Method::post, "/v2/" + name + "/blobs/uploads/?digest=" + digest.to_string(), content);
    INFO(answer.body);
    REQUIRE(answer.status == 201);
    return digest;
  }
  /// The Location of a new session.
  std::string open_session(const std::string& name, const std::string& query = "") {
    const auto answer = send(Method::post, "/v2/" + name + "/blobs/uploads/" + query);
    REQUIRE(answer.status == 202);
    return answer.header("Location");
  }

  /// One request to any of a node's APIs, its answer streamed to its end.
  template <class Api>
  static asio::awaitable<Answer> exchange(Api& api, Request& request) {
    request.executor = co_await asio::this_coro::executor;
    auto response = co_await api.serve(request);
    Answer answer;
    answer.status = response.status;
    answer.headers = std::move(response.headers);
    answer.length = response.length;
    if (auto* const text = std::get_if<std::string>(&response.body)) {
      answer.body = std::move(*text);
      if (!answer.length) answer.length = answer.body.size();
      co_return answer;
    }
    const auto stream = std::move(std::get<std::unique_ptr<ResponseBody>>(response.body));
    for (;;) {
      const auto piece = co_await stream->next();
      if (!piece) answer.broken = piece.error();
      if (!piece || piece->empty()) co_return answer;
      for (const auto bytes : *piece) answer.body += bytes;
    }
  }

  RegistryConfig registry_config;
  asio::thread_pool disk{2};
  Elsewhere* elsewhere = nullptr;  // Of a node in a cluster.
  asio::thread_pool remote{2};
};

inline nlohmann::json descriptor_of(const Digest& digest, std::uint64_t size,
                                    const std::string& type) {
  return {{"mediaType", type}, {"digest", digest.to_string()}, {"size", size}};
}

inline const std::string kManifestType = "application/vnd.oci.image.manifest.v1+json";
inline const std::string kIndexType = "application/vnd.oci.image.index.v1+json";

/// An OCI image manifest of blobs that are already there.
inline nlohmann::json image_of(const Digest& config, const std::vector<Digest>& layers) {
  nlohmann::json manifest = {
      {"schemaVersion", 2},
      {"mediaType", kManifestType},
      {"config", descriptor_of(config, 2, "application/vnd.oci.image.config.v1+json")},
      {"layers", nlohmann::json::array()}};
  for (const auto& layer : layers) {
    manifest["layers"].push_back(
        descriptor_of(layer, 5, "application/vnd.oci.image.layer.v1.tar+gzip"));
  }
  return manifest;
}

}  // namespace shoal

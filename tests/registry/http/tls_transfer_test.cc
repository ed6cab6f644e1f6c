// What travels over TLS: long bodies, many requests, ends in order and others.

#include <future>
#include <thread>

#include <catch2/catch.hpp>

#include "registry/http/client.h"
#include "registry/http/client_link.h"
#include "tests/registry/http/test_certificates.h"
#include "tests/registry/http/test_server.h"

namespace shoal {
namespace {

constexpr std::chrono::seconds kTimeout{30};

/// A server's and a client's settings, of one authority.
struct Trust {
  Trust() {
    const TestAuthority authority;
    const auto identity = authority.issue("node-a");
    TlsConfig config;
    config.certificate_pem = identity.certificate_pem;
    config.key_pem = identity.key_pem;
    config.authorities_pem = authority.certificate_pem();
    server.tls = TlsContext::server(config).value();
    client = TlsContext::client(config).value();
  }

  [[nodiscard]] HttpClient client_of(const TestServer& its_server) const {
    HttpClientConfig config;
    config.progress_timeout = kTimeout;
    config.tls = client;
    config.peer = "node-a";
    return HttpClient::to("https://" + its_server.address(), std::move(config)).value();
  }

  [[nodiscard]] std::unique_ptr<ClientLink> link_to(const TestServer& its_server) const {
    ClientLinkConfig config;
    const auto address = its_server.address();
    config.host = address.substr(0, address.find(':'));
    config.port = address.substr(address.find(':') + 1);
    config.authority = address;
    config.peer = "node-a";
    auto link = ClientLink::to(std::move(config)).value();
    const auto connected = link->connect(client->current());
    if (!connected) throw std::runtime_error(connected.error().message);
    return link;
  }

  HttpServerConfig server;
  std::shared_ptr<TlsContext> client;
};

std::string read_to_end(ClientLink& link) {
  std::string all;
  std::string piece(10'000, '\0');
  for (;;) {
    const auto count = link.read(piece).value();
    if (count == 0) return all;
    all.append(piece, 0, count);
  }
}

/// No two stretches of it are alike.
std::string long_text(std::size_t bytes) {
  std::string text;
  text.reserve(bytes + 16);
  for (std::size_t i = 0; text.size() < bytes; ++i) text += std::to_string(i * 2'654'435'761u);
  text.resize(bytes);
  return text;
}

asio::awaitable<Response> echo(Request& request) {
  auto body = co_await read_all(request, 100'000);
  Response response;
  response.headers.add("X-Remote", request.remote);
  if (request.path == "/pieces") {
    response.body = std::make_unique<PiecesBody>(body.value_or("broken"), 3);
  } else if (request.path == "/fails") {
    response.body = std::make_unique<PiecesBody>("abc", 1, true);
  } else if (request.path == "/short") {
    response.body = std::make_unique<PiecesBody>("abc", 1);
    response.length = 10;
  } else {
    response.body = request.path + ":" + body.value_or("broken");
  }
  response.close = request.path == "/close";
  co_return response;
}

TEST_CASE("Bodies of 64 MiB travel both ways by TLS", "[http][tls]") {
  const Trust trust;
  TestServer server(echo, trust.server);
  auto client = trust.client_of(server);
  const std::string body = long_text(64 << 20);
  for (int i = 0; i < 2; ++i) {
    const auto answer = client.send("PUT", "/", {}, body, 65 << 20);
    REQUIRE(answer.has_value());
    REQUIRE(answer->body.size() == body.size() + 2);
    CHECK(std::string_view(answer->body).substr(2) == body);
  }
}

TEST_CASE("A long chunked body by TLS is read in pieces of any size", "[http][tls]") {
  const Trust trust;
  TestServer server(echo, trust.server);
  auto client = trust.client_of(server);
  const std::string body = long_text(1'000'003);
  const std::size_t step = GENERATE(7'777u, 16'384u, 300'000u);
  const auto head = client.open("PUT", "/pieces", {}, body);
  REQUIRE(head.has_value());
  CHECK(head->status == 200);
  std::string all;
  std::string piece(step, '\0');
  for (std::size_t count = step; count == step;) {
    count = client.read_body(piece).value();
    all.append(piece, 0, count);
  }
  CHECK((all == body + body + body));
}

TEST_CASE("Requests share a TLS connection until it is closed", "[http][tls]") {
  const Trust trust;
  TestServer server(echo, trust.server);
  auto client = trust.client_of(server);
  const auto remote = [&](const char* path) {
    return std::string(client.send("GET", path)->headers.find("X-Remote").value_or(""));
  };
  const auto first = remote("/");
  CHECK(remote("/") == first);
  CHECK(remote("/close") == first);
  CHECK(remote("/") != first);
}

TEST_CASE("Requests that come at once by TLS are answered in order", "[http][tls]") {
  const Trust trust;
  TestServer server(echo, trust.server);
  const auto link = trust.link_to(server);
  std::string requests;
  for (int i = 0; i < 1'000; ++i) {
    requests += "GET /" + std::to_string(i) + " HTTP/1.1\r\nHost: h\r\n\r\n";
  }
  requests += "GET /close HTTP/1.1\r\nHost: h\r\n\r\n";
  std::thread writer([&] { CHECK(link->write(requests).has_value()); });
  writer.join();
  const auto answers = read_to_end(*link);
  CHECK(link->ended_in_order());
  std::size_t at = 0;
  for (int i = 0; i < 1'000 && at != std::string::npos; ++i) {
    at = answers.find("\r\n\r\n/" + std::to_string(i) + ":HTTP/1.1 200", at);
  }
  CHECK(at != std::string::npos);
  CHECK(answers.ends_with("/close:"));
}

TEST_CASE("A body that goes on to the end is whole only if TLS says so", "[http][tls]") {
  const Trust trust;
  TestServer server(echo, trust.server);
  const bool fails = GENERATE(false, true);
  const auto link = trust.link_to(server);
  const std::string path = fails ? "/fails" : "/pieces";
  REQUIRE(link->write("PUT " + path + " HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc").has_value());
  const auto answer = read_to_end(*link);
  CHECK(link->ended_in_order() != fails);
  if (!fails) CHECK(answer.ends_with("\r\n\r\nabcabcabc"));
}

TEST_CASE("A TLS body that breaks off is an error", "[http][tls]") {
  const Trust trust;
  TestServer server(echo, trust.server);
  auto client = trust.client_of(server);
  const auto* const path = GENERATE("/fails", "/short");
  const auto answer = client.send("GET", path);
  REQUIRE_FALSE(answer.has_value());
  CHECK(answer.error().code == Errc::io);
  CHECK(client.send("GET", "/").has_value());
}

TEST_CASE("A stop during a TLS body cuts it off", "[http][tls]") {
  const Trust trust;
  const Handler endless = [](Request&) -> asio::awaitable<Response> {
    Response response;
    response.body = std::make_unique<PiecesBody>(std::string(100'000, 'x'), 1'000'000'000);
    co_return response;
  };
  TestServer server(endless, trust.server);
  auto client = trust.client_of(server);
  REQUIRE(client.open("GET", "/").has_value());
  std::string piece(1'000'000, '\0');
  REQUIRE(client.read_body(piece).value() == piece.size());
  server.stop(std::chrono::seconds(0));
  Result<std::size_t> count = piece.size();
  while (count && *count == piece.size()) count = client.read_body(piece);
  REQUIRE_FALSE(count.has_value());
  CHECK(count.error().code == Errc::io);
}

TEST_CASE("A client that leaves in a TLS upload is noticed", "[http][tls]") {
  const Trust trust;
  std::promise<Errc> seen;
  const Handler handler = [&](Request& request) -> asio::awaitable<Response> {
    const auto body = co_await read_all(request);
    seen.set_value(body ? Errc::io : body.error().code);
    co_return Response{};
  };
  TestServer server(handler, trust.server);
  {
    const auto link = trust.link_to(server);
    REQUIRE(link->write("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc").has_value());
  }
  CHECK(seen.get_future().get() == Errc::size_invalid);
}

TEST_CASE("A refused TLS upload is still answered", "[http][tls]") {
  const Trust trust;
  const Handler handler = [](Request&) -> asio::awaitable<Response> {
    Response response;
    response.status = 413;
    co_return response;
  };
  TestServer server(handler, trust.server);
  auto client = trust.client_of(server);
  const auto answer = client.send("PUT", "/", {}, std::string(20'000'000, 'x'));
  REQUIRE(answer.has_value());
  CHECK(answer->status == 413);
}

TEST_CASE("Many TLS clients at once get what is theirs", "[http][tls]") {
  const Trust trust;
  TestServer server(echo, trust.server);
  std::vector<std::future<bool>> clients;
  for (int i = 0; i < 8; ++i) {
    clients.push_back(std::async(std::launch::async, [&, i] {
      auto client = trust.client_of(server);
      const auto path = "/" + std::to_string(i);
      bool right = true;
      for (int n = 0; n < 50; ++n) {
        const auto body = std::string(static_cast<std::size_t>(n * 997), 'a');
        const auto answer = client.send("PUT", path, {}, body);
        right = right && answer && answer->body == path + ":" + body;
      }
      return right;
    }));
  }
  for (auto& client : clients) CHECK(client.get());
}

}  // namespace
}  // namespace shoal

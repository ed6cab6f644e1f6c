#include "registry/http/client.h"

#include <set>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <catch2/catch.hpp>

#include "registry/http/listen_address.h"
#include "tests/registry/http/test_server.h"

namespace shoal {
namespace {

constexpr std::chrono::seconds kTimeout{30};

HttpClient client_of(const TestServer& server, std::chrono::seconds timeout = kTimeout) {
  auto client = HttpClient::to("http://" + server.address(), timeout);
  REQUIRE(client.has_value());
  return std::move(*client);
}

asio::awaitable<Response> echo(Request& request) {
  const auto body = co_await read_all(request);
  Response response;
  response.headers.add("X-Remote", request.remote);
  response.headers.add("X-Sent", request.headers.find("X-Sent").value_or("none"));
  if (request.path == "/chunked") {
    response.body = std::make_unique<PiecesBody>("line\nli", 100);
  } else {
    response.body = body.value_or("broken");
  }
  response.close = request.path == "/close";
  co_return response;
}

TEST_CASE("A client's requests share one connection", "[http]") {
  TestServer server(echo);
  auto client = client_of(server);
  std::set<std::string> remotes;
  for (const auto* const body : {"", "a", "bc"}) {
    const auto answer = client.send("PUT", "/", {}, body);
    REQUIRE(answer.has_value());
    CHECK(answer->status == 200);
    CHECK(answer->body == body);
    remotes.emplace(answer->headers.find("X-Remote").value_or(""));
  }
  CHECK(remotes.size() == 1);
}

TEST_CASE("A client sends the headers it is given", "[http]") {
  TestServer server(echo);
  auto client = client_of(server);
  Headers headers;
  headers.add("X-Sent", "value");
  const auto answer = client.send("GET", "/", headers);
  REQUIRE(answer.has_value());
  CHECK(answer->headers.find("x-sent") == "value");
}

TEST_CASE("A client connects again when its connection was closed", "[http]") {
  TestServer server(echo);
  auto client = client_of(server);
  for (int i = 0; i < 2; ++i) {
    REQUIRE(client.send("GET", "/close").has_value());
    REQUIRE(client.send("GET", "/").has_value());
  }
}

TEST_CASE("A client connects again when an idle connection was closed", "[http]") {
  HttpServerConfig config;
  config.idle_timeout = std::chrono::seconds(1);
  TestServer server(echo, config);
  auto client = client_of(server);
  const auto first = client.send("GET", "/");
  REQUIRE(first.has_value());
  const auto open = [&] {
    for (const auto& family : server.metrics().Collect()) {
      if (family.name == "shoal_http_connections") return family.metric.front().gauge.value;
    }
    return -1.0;
  };
  while (open() > 0) continue;
  const auto second = client.send("GET", "/");
  REQUIRE(second.has_value());
  CHECK(first->headers.find("X-Remote") != second->headers.find("X-Remote"));
}

TEST_CASE("A client reads chunked answers and HEAD", "[http]") {
  TestServer server(echo);
  auto client = client_of(server);
  std::string expected;
  for (int i = 0; i < 100; ++i) expected += "line\nli";
  for (int i = 0; i < 2; ++i) {
    const auto answer = client.send("GET", "/chunked");
    REQUIRE(answer.has_value());
    CHECK(answer->body == expected);
    const auto head = client.send("HEAD", "/");
    REQUIRE(head.has_value());
    CHECK(head->body.empty());
    CHECK(head->headers.find("Content-Length") == "0");
  }
}

TEST_CASE("A client does not read more than it wants", "[http]") {
  TestServer server(echo);
  auto client = client_of(server);
  const auto answer = client.send("GET", "/chunked", {}, {}, 699);
  REQUIRE_FALSE(answer.has_value());
  CHECK(answer.error().code == Errc::too_large);
  CHECK(client.send("GET", "/chunked", {}, {}, 700).has_value());
}

TEST_CASE("Lines are handed over as they come, until nobody wants more", "[http]") {
  TestServer server(echo);
  auto client = client_of(server);
  std::vector<std::string> lines;
  const auto all = client.stream_lines("GET", "/chunked", [&](std::string_view line) {
    lines.emplace_back(line);
    return true;
  });
  CHECK(all == 200);
  REQUIRE(lines.size() == 101);
  CHECK(lines.front() == "line");
  CHECK(lines[1] == "liline");
  CHECK(lines.back() == "li");

  lines.clear();
  const auto some = client.stream_lines("GET", "/chunked", [&](std::string_view line) {
    lines.emplace_back(line);
    return lines.size() < 3;
  });
  CHECK(some == 200);
  CHECK(lines.size() == 3);
  CHECK(client.send("GET", "/").has_value());
}

TEST_CASE("A line of an endless stream is there before the stream ends", "[http]") {
  Faucet faucet;
  const Handler handler = [&](Request&) -> asio::awaitable<Response> {
    Response response;
    response.body = faucet.open("data: 1\r\n\r\n");
    co_return response;
  };
  TestServer server(handler);
  auto client = client_of(server);
  std::string first;
  const auto status = client.stream_lines("GET", "/", [&](std::string_view line) {
    first = line;
    return false;
  });
  CHECK(status == 200);
  CHECK(first == "data: 1");
  faucet.close();
}

TEST_CASE("A server that does not answer is a timeout that names the address", "[http]") {
  asio::io_context context;
  const auto silent = listen_on(context, *parse_listen_address("127.0.0.1:0"));
  REQUIRE(silent.has_value());
  const auto address = to_string(silent->local_endpoint());
  auto client = HttpClient::to("http://" + address, std::chrono::seconds(1));
  REQUIRE(client.has_value());
  const auto answer = client->send("GET", "/");
  REQUIRE_FALSE(answer.has_value());
  CHECK(answer.error().code == Errc::timed_out);
  CHECK(answer.error().message.starts_with(address));
}

TEST_CASE("Where nobody listens, the client says so", "[http]") {
  std::string address;
  {
    asio::io_context context;
    address = to_string(listen_on(context, *parse_listen_address("127.0.0.1:0"))->local_endpoint());
  }
  auto client = HttpClient::to("http://" + address, kTimeout);
  REQUIRE(client.has_value());
  const auto answer = client->send("GET", "/");
  REQUIRE_FALSE(answer.has_value());
  CHECK(answer.error().code == Errc::unavailable);
  CHECK(answer.error().message == address + ": cannot connect: Connection refused");
}

TEST_CASE("A broken transfer is an error and not a short answer", "[http]") {
  const Handler handler = [](Request&) -> asio::awaitable<Response> {
    Response response;
    response.body = std::make_unique<PiecesBody>("abc", 1, true);
    co_return response;
  };
  TestServer server(handler);
  auto client = client_of(server);
  const auto answer = client.send("GET", "/");
  REQUIRE_FALSE(answer.has_value());
  CHECK(answer.error().code == Errc::io);
}

TEST_CASE("An answer to a body that is not wanted is still heard", "[http]") {
  const Handler handler = [](Request&) -> asio::awaitable<Response> {
    Response response;
    response.status = 413;
    co_return response;
  };
  TestServer server(handler);
  auto client = client_of(server);
  const auto answer = client.send("PUT", "/", {}, std::string(20'000'000, 'x'));
  REQUIRE(answer.has_value());
  CHECK(answer->status == 413);
}

TEST_CASE("What is not the address of a node is refused", "[http]") {
  const auto* const url = GENERATE(
      "", "127.0.0.1:5000", "ftp://127.0.0.1:5000", "https://", "http://", "http://host:port",
      "http://host:", "http://host:70000", "http://host/path", "http://:5000");
  CAPTURE(url);
  const auto client = HttpClient::to(url, kTimeout);
  REQUIRE_FALSE(client.has_value());
  CHECK(client.error().code == Errc::usage);
}

TEST_CASE("A node's address may end in a slash, be IPv6, or leave out the port", "[http]") {
  CHECK(HttpClient::to("http://127.0.0.1:5000/", kTimeout).has_value());
  CHECK(HttpClient::to("http://[::1]:5000", kTimeout).has_value());
  CHECK(HttpClient::to("http://[::1]", kTimeout).has_value());
  CHECK(HttpClient::to("http://host", kTimeout).has_value());
}

}  // namespace
}  // namespace shoal

#include "registry/http/server.h"

#include <atomic>
#include <thread>

#include <prometheus/text_serializer.h>
#include <catch2/catch.hpp>

#include "tests/registry/http/raw_client.h"
#include "tests/registry/http/test_server.h"

namespace shoal {
namespace {

std::string get(std::string_view target, std::string_view headers = "") {
  return "GET " + std::string(target) + " HTTP/1.1\r\nHost: h\r\n" + std::string(headers) + "\r\n";
}

/// Answers with method, target and body as they came.
asio::awaitable<Response> echo(Request& request) {
  const auto body = co_await read_all(request);
  Response response;
  response.body = body ? request.target + " " + *body : body.error().message;
  if (!body) response.status = body.error().code == Errc::timed_out ? 408 : 400;
  co_return response;
}

asio::awaitable<Response> ignore_body(Request& request) {
  Response response;
  response.body = request.target;
  co_return response;
}

TEST_CASE("One connection serves request after request", "[http]") {
  TestServer server(echo);
  RawClient client(server.address());
  for (const auto* const target : {"/a", "/b?c=d", "/e"}) {
    client.send(get(target));
    const auto answer = client.answer();
    CHECK(answer.status == 200);
    CHECK(answer.body == std::string(target) + " ");
    CHECK(answer.headers.find("Connection") == std::nullopt);
    CHECK(answer.headers.find("Date").value_or("").ends_with(" GMT"));
  }
}

TEST_CASE("Requests sent at once are answered in order", "[http]") {
  TestServer server(echo);
  RawClient client(server.address());
  std::string requests;
  for (int i = 0; i < 200; ++i) {
    requests += i % 2 == 0 ? get("/" + std::to_string(i))
                           : "PUT /" + std::to_string(i) +
                                 " HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc";
  }
  client.send(requests);
  for (int i = 0; i < 200; ++i) {
    const auto expected = "/" + std::to_string(i) + (i % 2 == 0 ? " " : " abc");
    REQUIRE(client.answer().body == expected);
  }
}

TEST_CASE("A body arrives whole, announced or in chunks", "[http]") {
  TestServer server(echo);
  RawClient client(server.address());
  std::string body;
  while (body.size() < 300'000) body += std::to_string(body.size());

  client.send("PUT /a HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(body.size()) +
              "\r\n\r\n" + body);
  CHECK(client.answer().body == "/a " + body);

  client.send("PATCH /b HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
  char size[20];
  for (std::size_t at = 0, step = 1; at < body.size(); at += step, step = step * 2 % 65'537) {
    const auto piece = body.substr(at, step);
    std::snprintf(size, sizeof size, "%zx\r\n", piece.size());
    client.send(size + piece + "\r\n");
  }
  client.send("0\r\n\r\n");
  CHECK(client.answer().body == "/b " + body);
  client.send(get("/c"));
  CHECK(client.answer().body == "/c ");
}

TEST_CASE("The body's announced length is known before it is read", "[http]") {
  const Handler handler = [](Request& request) -> asio::awaitable<Response> {
    Response response;
    const auto length = request.body->length();
    response.body = length ? std::to_string(*length) : "unknown";
    co_return response;
  };
  TestServer server(handler);
  RawClient client(server.address());
  client.send(get("/"));
  CHECK(client.answer().body == "0");
  client.send("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nab");
  CHECK(client.answer().body == "2");
  client.send("PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
  CHECK(client.answer().body == "unknown");
}

TEST_CASE("A client that asks first is told to go on when its body is wanted", "[http]") {
  TestServer server(echo);
  RawClient client(server.address());
  client.send("PUT /a HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  CHECK(client.until("\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n");
  client.send("hi");
  CHECK(client.answer().body == "/a hi");
  client.send(get("/b"));
  CHECK(client.answer().body == "/b ");
}

TEST_CASE("A client that asks first and is refused may keep its body", "[http]") {
  TestServer server(ignore_body);
  RawClient client(server.address());
  client.send("PUT /a HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  const auto answer = client.answer();
  CHECK(answer.status == 200);
  CHECK(answer.headers.find("Connection") == "close");
  client.finish_sending();
  CHECK(client.rest().empty());
}

TEST_CASE("A short body that nobody read does not disturb the next request", "[http]") {
  TestServer server(ignore_body);
  RawClient client(server.address());
  client.send("GET /a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nGET /");
  CHECK(client.answer().body == "/a");
  client.send("PUT /b HTTP/1.1\r\nHost: h\r\nContent-Length: 300000\r\n\r\n" +
              std::string(300'000, 'x'));
  CHECK(client.answer().body == "/b");
  client.send(
      "PUT /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
      "3\r\nabc\r\n0\r\n\r\n");
  CHECK(client.answer().body == "/c");
  client.send(get("/d"));
  CHECK(client.answer().body == "/d");
}

TEST_CASE("A long body that nobody read ends the connection after the response", "[http]") {
  TestServer server(ignore_body);
  RawClient client(server.address());
  client.send("PUT /a HTTP/1.1\r\nHost: h\r\nContent-Length: 5000000\r\n\r\n" +
              std::string(2'000'000, 'x'));
  const auto answer = client.answer();
  CHECK(answer.body == "/a");
  CHECK(answer.headers.find("Connection") == "close");
  client.finish_sending();
  CHECK(client.rest().empty());
  CHECK_FALSE(client.broken());
}

TEST_CASE("HEAD gives the header of GET and no body", "[http]") {
  const Handler handler = [](Request& request) -> asio::awaitable<Response> {
    Response response;
    if (request.path == "/stream") {
      response.body = std::make_unique<PiecesBody>("abcd", 3);
      response.length = 12;
    } else if (request.path == "/length") {
      response.length = 77;
    } else {
      response.body = "text";
    }
    co_return response;
  };
  TestServer server(handler);
  RawClient client(server.address());
  const auto length = [&](const std::string& method, const std::string& path) {
    client.send(method + " " + path + " HTTP/1.1\r\nHost: h\r\n\r\n");
    return std::string(*client.answer(method == "HEAD").headers.find("Content-Length"));
  };
  CHECK(length("HEAD", "/stream") == "12");
  CHECK(length("GET", "/stream") == "12");
  CHECK(length("HEAD", "/length") == "77");
  CHECK(length("HEAD", "/text") == "4");
  CHECK(length("GET", "/text") == "4");
}

TEST_CASE("Statuses without a body have none, whatever the handler gave", "[http]") {
  const Handler handler = [](Request& request) -> asio::awaitable<Response> {
    Response response;
    response.status = request.path == "/204" ? 204 : 304;
    response.body = "text";
    co_return response;
  };
  TestServer server(handler);
  RawClient client(server.address());
  for (const auto status : {204, 304}) {
    client.send(get("/" + std::to_string(status)));
    const auto answer = client.answer();
    CHECK(answer.status == status);
    CHECK(answer.headers.find("Content-Length") == std::nullopt);
    CHECK(answer.headers.find("Transfer-Encoding") == std::nullopt);
  }
}

TEST_CASE("A stream of unknown length is sent in chunks", "[http]") {
  const Handler handler = [](Request&) -> asio::awaitable<Response> {
    Response response;
    response.body = std::make_unique<PiecesBody>("abcdefghijklmnopq", 2);
    co_return response;
  };
  TestServer server(handler);
  RawClient client(server.address());
  client.send(get("/"));
  CHECK(client.answer().headers.find("Transfer-Encoding") == "chunked");
  CHECK(client.until("0\r\n\r\n") ==
        "11\r\nabcdefghijklmnopq\r\n11\r\nabcdefghijklmnopq\r\n0\r\n\r\n");

  RawClient old(server.address());
  old.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  CHECK(old.answer().headers.find("Connection") == "close");
  CHECK(old.rest() == "abcdefghijklmnopqabcdefghijklmnopq");
}

TEST_CASE("The client's wish to close is obeyed", "[http]") {
  TestServer server(echo);
  RawClient closing(server.address());
  closing.send(get("/a", "Connection: close\r\n") + get("/never"));
  CHECK(closing.answer().headers.find("Connection") == "close");
  closing.finish_sending();
  CHECK(closing.rest().empty());

  RawClient old(server.address());
  old.send("GET /a HTTP/1.0\r\n\r\n");
  CHECK(old.answer().headers.find("Connection") == "close");
  CHECK(old.rest().empty());

  RawClient old_but_kept(server.address());
  for (int i = 0; i < 2; ++i) {
    old_but_kept.send("GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    CHECK(old_but_kept.answer().headers.find("Connection") == "keep-alive");
  }
}

TEST_CASE("A handler can end the connection", "[http]") {
  const Handler handler = [](Request&) -> asio::awaitable<Response> {
    Response response;
    response.close = true;
    co_return response;
  };
  TestServer server(handler);
  RawClient client(server.address());
  client.send(get("/"));
  CHECK(client.answer().headers.find("Connection") == "close");
  CHECK(client.rest().empty());
}

TEST_CASE("A client that finished sending still gets its response", "[http]") {
  TestServer server(echo);
  RawClient client(server.address());
  client.send(get("/a"));
  client.finish_sending();
  CHECK(client.answer().body == "/a ");
  CHECK(client.rest().empty());
}

TEST_CASE("A body that breaks off is an error for the handler", "[http]") {
  TestServer server(echo);
  RawClient client(server.address());
  client.send("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc");
  client.finish_sending();
  const auto answer = client.answer();
  CHECK(answer.status == 400);
  CHECK(answer.body == "the connection ended in the middle of the request body");
  CHECK(client.rest().empty());
}

TEST_CASE("A broken chunk is an error for the handler and ends the connection", "[http]") {
  TestServer server(echo);
  RawClient client(server.address());
  client.send("PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcdefgh\r\n");
  const auto answer = client.answer();
  CHECK(answer.status == 400);
  CHECK(answer.headers.find("Connection") == "close");
  client.finish_sending();
  CHECK(client.rest().empty());
}

TEST_CASE("A handler that throws gives a 500 and the connection goes on", "[http]") {
  const Handler handler = [](Request& request) -> asio::awaitable<Response> {
    if (request.path == "/throw") throw std::runtime_error("a defect");
    co_return Response();
  };
  TestServer server(handler);
  RawClient client(server.address());
  client.send(get("/throw"));
  const auto answer = client.answer();
  CHECK(answer.status == 500);
  CHECK(answer.headers.find("Content-Type") == "application/json");
  CHECK(answer.body.starts_with(R"({"errors":[{"code":"UNKNOWN")"));
  client.send(get("/"));
  CHECK(client.answer().status == 200);
}

TEST_CASE("A response that fails on the way is seen as broken", "[http]") {
  const Handler handler = [](Request& request) -> asio::awaitable<Response> {
    Response response;
    response.body = std::make_unique<PiecesBody>("abc", 1, request.path == "/fails");
    if (request.path != "/chunked" && request.path != "/fails") response.length = 10;
    co_return response;
  };
  TestServer server(handler);
  SECTION("with an announced length") {
    RawClient client(server.address());
    client.send(get("/short"));
    CHECK(client.head().headers.find("Content-Length") == "10");
    client.rest();
    CHECK(client.broken());
  }
  SECTION("in chunks") {
    RawClient client(server.address());
    client.send(get("/fails"));
    CHECK(client.answer().headers.find("Transfer-Encoding") == "chunked");
    CHECK(client.rest().find("0\r\n\r\n") == std::string::npos);
    CHECK(client.broken());
  }
}

TEST_CASE("A response that fails before its first byte is an error that says why", "[http]") {
  const auto [how, status] = GENERATE(table<Errc, int>({{Errc::io, 500},
                                                        {Errc::digest_invalid, 500},
                                                        {Errc::blob_unknown, 404},
                                                        {Errc::unavailable, 503},
                                                        {Errc::timed_out, 503}}));
  const Handler handler = [how = how](Request&) -> asio::awaitable<Response> {
    Response response;
    response.body = std::make_unique<PiecesBody>("abc", 0, true, how);
    response.length = 10;
    co_return response;
  };
  TestServer server(handler);
  RawClient client(server.address());
  for (int i = 0; i < 2; ++i) {
    client.send(get("/"));
    CHECK(client.answer().status == status);
  }
}

TEST_CASE("Large downloads at the same time arrive whole", "[http]") {
  constexpr std::uint64_t kPieces = 400;
  std::string piece;
  while (piece.size() < 100'000) piece += std::to_string(piece.size());
  const Handler handler = [&](Request&) -> asio::awaitable<Response> {
    Response response;
    response.body = std::make_unique<PiecesBody>(piece, kPieces);
    response.length = piece.size() * kPieces;
    co_return response;
  };
  TestServer server(handler);
  std::atomic<int> whole = 0;
  std::vector<std::thread> clients;
  for (int i = 0; i < 4; ++i) {
    clients.emplace_back([&] {
      RawClient client(server.address());
      client.send(get("/"));
      bool same = client.head().status == 200;
      for (std::uint64_t n = 0; n < kPieces; ++n)
        same = same && client.bytes(piece.size()) == piece;
      if (same) ++whole;
    });
  }
  for (auto& client : clients) client.join();
  CHECK(whole == 4);
}

TEST_CASE("What happened is counted", "[http]") {
  TestServer server(echo);
  RawClient client(server.address());
  client.send(get("/a") + get("/b"));
  client.answer();
  client.answer();
  client.send("BREW /pot HTTP/1.1\r\nHost: h\r\n\r\nnot http\r\n");
  client.answer();
  CHECK(client.answer().status == 400);
  client.finish_sending();
  client.rest();
  server.stop(std::chrono::seconds(10));

  const auto text = prometheus::TextSerializer().Serialize(server.metrics().Collect());
  const auto has = [&](const std::string& line) { return text.find(line) != std::string::npos; };
  CAPTURE(text);
  CHECK(has("shoal_http_requests_total{method=\"GET\",server=\"registry\",status=\"2xx\"} 2"));
  CHECK(has("shoal_http_requests_total{method=\"other\",server=\"registry\",status=\"2xx\"} 1"));
  CHECK(has("shoal_http_requests_total{method=\"other\",server=\"registry\",status=\"4xx\"} 1"));
  CHECK(has("shoal_http_request_seconds_count{server=\"registry\"} 4"));
  CHECK(has("shoal_http_connections{server=\"registry\"} 0"));
  CHECK(has("shoal_http_received_bytes_total{server=\"registry\"} 97"));
  CHECK_FALSE(has("shoal_http_sent_bytes_total{server=\"registry\"} 0"));
}

TEST_CASE("A handler sees who asks", "[http]") {
  const Handler handler = [](Request& request) -> asio::awaitable<Response> {
    Response response;
    response.body = request.remote;
    co_return response;
  };
  TestServer server(handler);
  RawClient client(server.address());
  client.send(get("/"));
  CHECK(client.answer().body.starts_with("127.0.0.1:"));
}

TEST_CASE("Two servers cannot have one port", "[http]") {
  TestServer first(echo);
  HttpServerConfig config;
  config.listen = {first.address()};
  prometheus::Registry metrics;
  const auto second = HttpServer::bind(config, echo, metrics);
  REQUIRE_FALSE(second.has_value());
  CHECK(second.error().code == Errc::unavailable);
  CHECK(second.error().message.starts_with("cannot listen on " + first.address() + ": address al"));
}

TEST_CASE("A server listens on all its addresses", "[http]") {
  HttpServerConfig config;
  config.listen = {"127.0.0.1:0", "localhost:0"};
  prometheus::Registry metrics;
  auto server = HttpServer::bind(config, echo, metrics);
  REQUIRE(server.has_value());
  (*server)->start();
  const auto addresses = (*server)->addresses();
  REQUIRE(addresses.size() == 2);
  CHECK(addresses[0] != addresses[1]);
  for (const auto& address : addresses) {
    RawClient client(address);
    client.send(get("/a"));
    CHECK(client.answer().body == "/a ");
  }
}

}  // namespace
}  // namespace shoal

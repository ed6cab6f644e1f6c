// Connections that change their protocol, over plain TCP and TLS.

#include <algorithm>
#include <array>
#include <chrono>
#include <exception>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <catch2/catch.hpp>

#include "registry/http/client_link.h"
#include "registry/http/duplex.h"
#include "registry/http/response_parser.h"
#include "registry/http/server.h"
#include "tests/registry/http/raw_client.h"
#include "tests/registry/http/test_certificates.h"
#include "tests/registry/http/test_server.h"

namespace shoal {
namespace {

const std::string kAsk =
    "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n";
constexpr std::size_t kBytes = 24 << 20;  // More than what the kernel takes for nobody.

Response changing_to(Upgrade upgrade) {
  Response response;
  response.status = 101;
  response.headers.add("Upgrade", "echo");
  response.upgrade = std::move(upgrade);
  return response;
}

asio::awaitable<void> echo(Duplex& connection, std::string_view received) {
  bool sent = co_await connection.write(received);
  std::array<char, 1'000> buffer;
  while (sent) {
    const std::size_t count = co_await connection.read(buffer);
    if (count == 0) break;
    const std::string_view text(buffer.data(), count);
    sent = co_await connection.write(text);
  }
}

asio::awaitable<Response> serve_echo(Request&) { co_return changing_to(echo); }

char byte_at(std::size_t position) { return static_cast<char>(position * 2'654'435'761u >> 13); }

/// Part of what each side sends.
std::string pattern(std::size_t from, std::size_t count) {
  std::string text(count, '\0');
  for (std::size_t i = 0; i < count; ++i) text[i] = byte_at(from + i);
  return text;
}

std::size_t step_at(std::size_t position) {
  return std::min(kBytes - position, 1 + position % 90'001);
}

asio::awaitable<void> send_pattern(Duplex& connection) {
  for (std::size_t at = 0; at < kBytes; at += step_at(at)) {
    const auto text = pattern(at, step_at(at));
    const bool sent = co_await connection.write(text);
    if (!sent) throw std::runtime_error("the client took no more");
  }
}

asio::awaitable<void> read_pattern(Duplex& connection, std::string_view received) {
  std::string buffer(received);
  std::size_t at = 0;
  for (;;) {
    if (buffer != pattern(at, buffer.size())) throw std::runtime_error("other bytes");
    at += buffer.size();
    if (at == kBytes) break;
    buffer.resize(100'000);
    const std::size_t count = co_await connection.read(buffer);
    if (count == 0) throw std::runtime_error("the client left");
    buffer.resize(count);
  }
}

/// Sends and receives, and says with one more byte whether all was right.
asio::awaitable<void> both_ways(Duplex& connection, std::string_view received) {
  asio::steady_timer done(connection.executor(), asio::steady_timer::time_point::max());
  bool ended = false;
  std::exception_ptr failure;
  asio::co_spawn(connection.executor(), send_pattern(connection), [&](std::exception_ptr error) {
    failure = error;
    ended = true;
    done.cancel();
  });
  std::string_view verdict = "+";
  try {
    co_await read_pattern(connection, received);
  } catch (const std::exception&) {
    verdict = "-";
    connection.close();
  }
  boost::system::error_code error;
  if (!ended) co_await done.async_wait(asio::redirect_error(asio::use_awaitable, error));
  if (failure) verdict = "-";
  const bool told = co_await connection.write(verdict);
  if (!told) throw std::runtime_error("the client left");
}

asio::awaitable<Response> serve_both_ways(Request&) { co_return changing_to(both_ways); }

struct TlsPair {
  TlsPair() {
    const TestAuthority authority;
    const auto identity = authority.issue("node-a");
    TlsConfig config{identity.certificate_pem, identity.key_pem, authority.certificate_pem(), {}};
    server = *TlsContext::server(config);
    client = *TlsContext::client(config);
  }
  std::shared_ptr<TlsContext> server;
  std::shared_ptr<TlsContext> client;
};

/// The client's end, past the 101.
std::unique_ptr<ClientLink> upgraded(const TestServer& server, const TlsPair* tls) {
  ClientLinkConfig config;
  const auto address = server.address();
  config.host = "127.0.0.1";
  config.port = address.substr(address.rfind(':') + 1);
  config.authority = address;
  config.peer = "node-a";
  auto link = *ClientLink::to(config);
  REQUIRE(link->connect(tls == nullptr ? nullptr : tls->client->current()));
  REQUIRE(link->write(kAsk));
  std::string head;
  for (char byte = 0; !head.ends_with("\r\n\r\n"); head += byte) {
    const auto count = link->read({&byte, 1});
    REQUIRE(count);
    REQUIRE(*count == 1);
  }
  REQUIRE(head.starts_with("HTTP/1.1 101 "));
  return link;
}

void send_all(ClientLink& link) {
  for (std::size_t at = 0; at < kBytes; at += step_at(at)) {
    REQUIRE(link.write(pattern(at, step_at(at))));
  }
}

void receive_all(ClientLink& link) {
  std::string buffer(200'000, '\0');
  for (std::size_t at = 0; at < kBytes;) {
    const auto count = link.read(std::span(buffer).first(std::min(buffer.size(), kBytes - at)));
    REQUIRE(count);
    REQUIRE(*count > 0);
    const bool same = std::string_view(buffer).substr(0, *count) == pattern(at, *count);
    REQUIRE(same);
    at += *count;
  }
}

TEST_CASE("After 101 a connection is the handler's, with what was sent early", "[http][upgrade]") {
  TestServer server(serve_echo);
  RawClient client(server.address());
  client.send(kAsk + "early");
  const auto head = client.head();
  CHECK(head.status == 101);
  CHECK(head.headers.find("Connection") == "Upgrade");
  CHECK(head.headers.find("Upgrade") == "echo");
  CHECK(head.headers.all("Connection").size() == 1);
  CHECK_FALSE(head.headers.find("Content-Length"));
  CHECK_FALSE(head.headers.find("Transfer-Encoding"));
  CHECK(client.bytes(5) == "early");
  client.send("GET / HTTP/1.1\r\n\r\n");
  CHECK(client.bytes(18) == "GET / HTTP/1.1\r\n\r\n");
  client.finish_sending();
  CHECK(client.rest().empty());
  CHECK_FALSE(client.broken());
}

TEST_CASE("A request can change the protocol after others on its connection", "[http][upgrade]") {
  int requests = 0;
  TestServer server([&](Request&) -> asio::awaitable<Response> {
    Response response = changing_to(echo);
    if (++requests < 3) response.status = 200;  // Then it is an answer like any other.
    co_return response;
  });
  RawClient client(server.address());
  client.send(kAsk + kAsk);
  CHECK(client.answer().status == 200);
  CHECK(client.answer().status == 200);
  client.send("HEAD" + kAsk.substr(3) + "x");
  CHECK(client.head().status == 101);
  CHECK(client.bytes(1) == "x");
}

TEST_CASE("The protocol is not changed where HTTP forbids it", "[http][upgrade]") {
  TestServer server(serve_echo);
  const auto* const request =
      GENERATE("GET / HTTP/1.0\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n",
               "POST / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nContent-Length: 3\r\n\r\nabc");
  RawClient client(server.address());
  client.send(request);
  const auto answer = client.answer();
  CHECK(answer.status == 400);
  CHECK_FALSE(answer.headers.find("Upgrade"));
}

TEST_CASE("A connection that changed its protocol is read and written at once", "[http][upgrade]") {
  const TlsPair tls;
  const bool encrypted = GENERATE(false, true);
  const bool sends_first = GENERATE(false, true);
  CAPTURE(encrypted, sends_first);
  HttpServerConfig config;
  if (encrypted) config.tls = tls.server;
  TestServer server(serve_both_ways, config);
  const auto link = upgraded(server, encrypted ? &tls : nullptr);
  // Either would wait forever for a server that does one after the other.
  if (sends_first) send_all(*link);
  receive_all(*link);
  if (!sends_first) send_all(*link);
  char verdict = 0;
  CHECK(link->read({&verdict, 1}) == 1);
  CHECK(verdict == '+');
  CHECK(link->read({&verdict, 1}) == 0);
  CHECK(link->ended_in_order());
}

TEST_CASE("A server that stops does not wait for another protocol", "[http][upgrade]") {
  const TlsPair tls;
  const bool encrypted = GENERATE(false, true);
  const bool busy = GENERATE(false, true);
  CAPTURE(encrypted, busy);
  HttpServerConfig config;
  if (encrypted) config.tls = tls.server;
  TestServer server(busy ? serve_both_ways : serve_echo, config);
  const auto link = upgraded(server, encrypted ? &tls : nullptr);
  std::string some(1'000, '\0');
  if (busy) REQUIRE(link->read(some));
  server.stop(std::chrono::seconds(1'000));
  for (;;) {
    const auto count = link->read(some);
    if (!count || *count == 0) break;
  }
}

TEST_CASE("A failure within another protocol ends its connection alone", "[http][upgrade]") {
  TestServer server([](Request& request) -> asio::awaitable<Response> {
    const Upgrade broken = [](Duplex&, std::string_view) -> asio::awaitable<void> {
      throw std::runtime_error("broken");
      co_return;
    };
    co_return changing_to(request.path == "/broken" ? broken : echo);
  });
  RawClient client(server.address());
  client.send("GET /broken" + kAsk.substr(5));
  CHECK(client.head().status == 101);
  CHECK(client.rest().empty());
  RawClient other(server.address());
  other.send(kAsk + "x");
  CHECK(other.head().status == 101);
  CHECK(other.bytes(1) == "x");
}

TEST_CASE("What follows a 101 is left to the caller", "[http][upgrade]") {
  int status = 0;
  Headers headers;
  std::string body;
  ResponseParser parser(false, status, headers, body);
  const std::string_view text =
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\nrest";
  std::size_t used = 0;
  CHECK(parser.parse(text, used) == ResponseParser::Step::done);
  CHECK(status == 101);
  CHECK(text.substr(used) == "rest");
  CHECK(body.empty());
}

}  // namespace
}  // namespace shoal

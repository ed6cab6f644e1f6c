// Who trusts whom by TLS: the real server and the real client, with certificates made here.

#include "registry/http/tls.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <catch2/catch.hpp>

#include "registry/http/client.h"
#include "registry/http/listen_address.h"
#include "tests/registry/http/raw_client.h"
#include "tests/registry/http/test_certificates.h"
#include "tests/registry/http/test_server.h"

namespace shoal {
namespace {

constexpr std::chrono::seconds kTimeout{30};

asio::awaitable<Response> who(Request& request) {
  Response response;
  response.headers.add("X-Remote", request.remote);
  response.body = (request.encrypted ? "tls:" : "plain:") + request.peer;
  co_return response;
}

TlsConfig shown_by(const TestIdentity& identity, const TestAuthority& trusted) {
  TlsConfig config;
  config.certificate_pem = identity.certificate_pem;
  config.key_pem = identity.key_pem;
  config.authorities_pem = trusted.certificate_pem();
  return config;
}

HttpServerConfig serving(const TlsConfig& config) {
  auto context = TlsContext::server(config);
  if (!context) throw std::runtime_error(context.error().message);
  HttpServerConfig server;
  server.tls = *context;
  return server;
}

std::shared_ptr<TlsContext> asking(const TlsConfig& config) {
  auto context = TlsContext::client(config);
  if (!context) throw std::runtime_error(context.error().message);
  return *context;
}

HttpClient client_of(const TestServer& server, std::shared_ptr<TlsContext> tls,
                     std::string peer = "node-a") {
  HttpClientConfig config;
  config.progress_timeout = kTimeout;
  config.tls = std::move(tls);
  config.peer = std::move(peer);
  auto client = HttpClient::to("https://" + server.address(), std::move(config));
  if (!client) throw std::runtime_error(client.error().message);
  return *std::move(client);
}

/// Foreign, expired or not valid yet.
TestIdentity bad_identity(int kind, const std::string& name, const TestAuthority& authority,
                          const TestAuthority& foreign) {
  constexpr std::chrono::seconds kHour(3'600);
  if (kind == 0) return foreign.issue(name);
  if (kind == 1) return authority.issue(name, "", -2 * kHour, -kHour);
  return authority.issue(name, "", kHour, 2 * kHour);
}

/// What the server says of who asks, or the code of the error.
std::string answer_to(HttpClient& client) {
  const auto answer = client.send("GET", "/");
  if (answer) return answer->body;
  INFO(answer.error().message);
  CHECK(answer.error().code == Errc::denied);
  return "denied";
}

TEST_CASE("Two nodes of one authority know each other", "[http][tls]") {
  const TestAuthority authority;
  TestServer server(who, serving(shown_by(authority.issue("node-a"), authority)));
  auto client = client_of(server, asking(shown_by(authority.issue("node-b"), authority)));
  CHECK(answer_to(client) == "tls:node-b");
  CHECK(answer_to(client) == "tls:node-b");
}

TEST_CASE("Who shows no certificate is heard as nobody", "[http][tls]") {
  const TestAuthority authority;
  TestServer server(who, serving(shown_by(authority.issue("node-a"), authority)));
  TlsConfig nobody;
  nobody.authorities_pem = authority.certificate_pem();
  auto client = client_of(server, asking(nobody));
  CHECK(answer_to(client) == "tls:");
}

TEST_CASE("A server without authorities asks for no certificate", "[http][tls]") {
  const TestAuthority authority;
  auto config = shown_by(authority.issue("node-a"), authority);
  const auto client_tls = asking(config);
  config.authorities_pem.clear();
  TestServer server(who, serving(config));
  auto client = client_of(server, client_tls);
  CHECK(answer_to(client) == "tls:");
}

TEST_CASE("A client's certificate that is foreign or out of its time is refused", "[http][tls]") {
  const TestAuthority authority;
  const TestAuthority foreign;  // Of the same name.
  TestServer server(who, serving(shown_by(authority.issue("node-a"), authority)));
  const auto identity = bad_identity(GENERATE(0, 1, 2), "node-b", authority, foreign);
  auto client = client_of(server, asking(shown_by(identity, authority)));
  CHECK(answer_to(client) == "denied");
  auto good = client_of(server, asking(shown_by(authority.issue("node-b"), authority)));
  CHECK(answer_to(good) == "tls:node-b");
}

TEST_CASE("A server's certificate that is foreign or out of its time is refused", "[http][tls]") {
  const TestAuthority authority;
  const TestAuthority foreign;
  const auto identity = bad_identity(GENERATE(0, 1, 2), "node-a", authority, foreign);
  TestServer server(who, serving(shown_by(identity, authority)));
  auto client = client_of(server, asking(shown_by(authority.issue("node-b"), authority)));
  CHECK(answer_to(client) == "denied");
}

TEST_CASE("A server must have the name that is expected", "[http][tls]") {
  const TestAuthority authority;
  TestServer server(who, serving(shown_by(authority.issue("node-a"), authority)));
  const auto tls = asking(shown_by(authority.issue("node-b"), authority));
  auto right = client_of(server, tls, "node-a");
  CHECK(answer_to(right) == "tls:node-b");
  auto wrong = client_of(server, tls, "node-c");
  const auto answer = wrong.send("GET", "/");
  REQUIRE_FALSE(answer.has_value());
  CHECK(answer.error().code == Errc::denied);
  CHECK(answer.error().message.find("ostname mismatch") != std::string::npos);
  auto by_address = client_of(server, tls, "");
  CHECK(answer_to(by_address) == "denied");
}

TEST_CASE("A server can be known by its address", "[http][tls]") {
  const TestAuthority authority;
  const auto identity = authority.issue("node-a", "IP:127.0.0.1,DNS:node-a");
  TestServer server(who, serving(shown_by(identity, authority)));
  auto client = client_of(server, asking(shown_by(identity, authority)), "");
  CHECK(answer_to(client) == "tls:node-a");
}

TEST_CASE("A pin stands for an authority that nobody handed over yet", "[http][tls]") {
  const TestAuthority authority;
  const TestAuthority foreign;
  TestServer server(who, serving(shown_by(authority.issue("node-a"), authority)));
  TlsConfig config;
  config.pinned_sha256 = authority.sha256();
  auto joining = client_of(server, asking(config), "");
  CHECK(answer_to(joining) == "tls:");
  auto named = client_of(server, asking(config), "node-a");
  CHECK(answer_to(named) == "tls:");
  auto wrong_name = client_of(server, asking(config), "node-c");
  CHECK(answer_to(wrong_name) == "denied");
  config.pinned_sha256 = foreign.sha256();
  auto wrong_pin = client_of(server, asking(config), "");
  CHECK(answer_to(wrong_pin) == "denied");
}

TEST_CASE("A pinned certificate that did not sign the server's is no trust", "[http][tls]") {
  const TestAuthority authority;
  const TestAuthority foreign;
  auto identity = foreign.issue("node-a");
  identity.certificate_pem += authority.certificate_pem();
  TestServer server(who, serving(shown_by(identity, foreign)));
  TlsConfig config;
  config.pinned_sha256 = authority.sha256();
  auto client = client_of(server, asking(config), "");
  CHECK(answer_to(client) == "denied");
}

TEST_CASE("A certificate is replaced while the server runs", "[http][tls]") {
  const TestAuthority before;
  const TestAuthority after;
  const auto config = serving(shown_by(before.issue("node-a"), before));
  TestServer server(who, config);
  auto kept = client_of(server, asking(shown_by(before.issue("node-b"), before)));
  CHECK(answer_to(kept) == "tls:node-b");

  auto broken = shown_by(after.issue("node-a"), after);
  broken.key_pem = before.issue("node-a").key_pem;
  const auto refused = config.tls->replace(broken);
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().code == Errc::usage);
  auto unchanged = client_of(server, asking(shown_by(before.issue("node-b"), before)));
  CHECK(answer_to(unchanged) == "tls:node-b");

  REQUIRE(config.tls->replace(shown_by(after.issue("node-a"), after)).has_value());
  CHECK(answer_to(kept) == "tls:node-b");
  auto late = client_of(server, asking(shown_by(before.issue("node-b"), before)));
  CHECK(answer_to(late) == "denied");
  const auto tls = asking(shown_by(before.issue("node-b"), before));
  REQUIRE(tls->replace(shown_by(after.issue("node-b"), after)).has_value());
  auto renewed = client_of(server, tls);
  CHECK(answer_to(renewed) == "tls:node-b");
}

TEST_CASE("What is not TLS gets nothing from a TLS server", "[http][tls]") {
  const TestAuthority authority;
  TestServer server(who, serving(shown_by(authority.issue("node-a"), authority)));
  const std::string sent = GENERATE(as<std::string>(), "GET / HTTP/1.1\r\nHost: h\r\n\r\n",
                                    std::string(100'000, '\0'), "\x16\x03\x01\xff\xff garbage");
  RawClient raw(server.address());
  raw.send(sent);
  raw.finish_sending();
  CHECK(raw.rest().find("HTTP") == std::string::npos);
  auto client = client_of(server, asking(shown_by(authority.issue("node-b"), authority)));
  CHECK(answer_to(client) == "tls:node-b");
}

TEST_CASE("A handshake that does not go on ends by the idle timeout", "[http][tls]") {
  const TestAuthority authority;
  auto config = serving(shown_by(authority.issue("node-a"), authority));
  config.idle_timeout = std::chrono::seconds(1);
  TestServer server(who, config);
  RawClient silent(server.address());
  RawClient begun(server.address());
  begun.send(std::string_view("\x16\x03\x01\x02\x00\x01", 6));
  CHECK(silent.rest().empty());
  CHECK(begun.rest().empty());
}

TEST_CASE("A stop does not wait for handshakes", "[http][tls]") {
  const TestAuthority authority;
  TestServer server(who, serving(shown_by(authority.issue("node-a"), authority)));
  RawClient silent(server.address());
  server.stop(std::chrono::seconds(1'000));
  silent.rest();
}

TEST_CASE("A plain server is no TLS server", "[http][tls]") {
  const TestAuthority authority;
  TestServer server(who);
  auto client = client_of(server, asking(shown_by(authority.issue("node-b"), authority)));
  const auto answer = client.send("GET", "/");
  REQUIRE_FALSE(answer.has_value());
  CHECK(answer.error().code == Errc::io);
  CHECK(answer.error().message.starts_with(server.address()));
}

TEST_CASE("A server that is silent at the handshake is a timeout", "[http][tls]") {
  asio::io_context context;
  const auto silent = listen_on(context, *parse_listen_address("127.0.0.1:0"));
  REQUIRE(silent.has_value());
  HttpClientConfig config;
  config.progress_timeout = std::chrono::seconds(1);
  config.tls = asking({});
  auto client = HttpClient::to("https://" + to_string(silent->local_endpoint()), std::move(config));
  REQUIRE(client.has_value());
  const auto answer = client->send("GET", "/");
  REQUIRE_FALSE(answer.has_value());
  CHECK(answer.error().code == Errc::timed_out);
}

TEST_CASE("The system's authorities do not know a cluster's", "[http][tls]") {
  const TestAuthority authority;
  auto config = shown_by(authority.issue("node-a", "IP:127.0.0.1"), authority);
  config.authorities_pem.clear();
  TestServer server(who, serving(config));
  auto client = HttpClient::to("https://" + server.address(), kTimeout);
  REQUIRE(client.has_value());
  CHECK(answer_to(*client) == "denied");
}

TEST_CASE("What is not a certificate, key, authority or pin is refused by name", "[http][tls]") {
  const TestAuthority authority;
  const auto good = shown_by(authority.issue("node-a"), authority);
  const auto message = [](Result<std::shared_ptr<TlsContext>> made) {
    REQUIRE_FALSE(made.has_value());
    CHECK(made.error().code == Errc::usage);
    return made.error().message;
  };
  const auto contains = [](const char* text) { return Catch::Matchers::Contains(text); };
  CHECK_THAT(message(TlsContext::server({})), contains("certificate is not"));
  auto bad = good;
  bad.certificate_pem += "-----BEGIN CERTIFICATE-----\nbm90IG9uZQ==\n-----END CERTIFICATE-----\n";
  CHECK_THAT(message(TlsContext::server(bad)), contains("certificate is not"));
  bad = good;
  bad.key_pem = "secret";
  CHECK_THAT(message(TlsContext::server(bad)), contains("key is not a PEM key"));
  CHECK_THAT(message(TlsContext::server(bad)), !contains("secret"));
  bad = good;
  bad.key_pem = authority.issue("node-a").key_pem;
  CHECK_THAT(message(TlsContext::client(bad)), contains("not that of the certificate"));
  bad = good;
  bad.authorities_pem = "authority";
  CHECK_THAT(message(TlsContext::client(bad)), contains("authorities"));
  bad = good;
  bad.pinned_sha256 = authority.sha256();
  CHECK_THAT(message(TlsContext::client(bad)), contains("without authorities"));
  bad.authorities_pem.clear();
  bad.pinned_sha256.pop_back();
  CHECK_THAT(message(TlsContext::client(bad)), contains("64 hex digits"));
}

}  // namespace
}  // namespace shoal

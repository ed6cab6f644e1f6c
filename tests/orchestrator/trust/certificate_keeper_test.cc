#include "orchestrator/trust/certificate_keeper.h"

#include <condition_variable>
#include <mutex>

#include <catch2/catch.hpp>

#include "registry/http/client.h"
#include "tests/orchestrator/trust/cluster.h"
#include "tests/registry/http/test_server.h"

namespace shoal {
namespace {

using std::chrono_literals::operator""s;

/// Signs as the keeper asks, fails first as often as the test wants, and counts.
class Signer {
 public:
  Signer(const Authority& authority, std::chrono::seconds lifetime, int failures)
      : authority_(authority), lifetime_(lifetime), failures_(failures) {}

  Result<std::string> operator()(const NodeIdentity& identity) {
    const std::lock_guard lock(mutex_);
    if (failures_ > 0) {
      --failures_;
      return fail(Errc::unavailable, "the authority is away");
    }
    ++signed_;
    changed_.notify_all();
    return authority_.sign(*identity.make_csr(), identity.node_id, lifetime_);
  }

  /// Waits until one was signed after `time`.
  void wait_past(UnixTime time) {
    std::unique_lock lock(mutex_);
    const auto past = [&] { return signed_ > 0 && Clock::system().now() > time; };
    REQUIRE(changed_.wait_for(lock, 60s, past));
  }

 private:
  const Authority& authority_;
  const std::chrono::seconds lifetime_;
  std::mutex mutex_;
  std::condition_variable changed_;
  int failures_;
  int signed_ = 0;
};

asio::awaitable<Response> answer_peer(Request& request) {
  Response response;
  response.body = request.peer;
  co_return response;
}

Result<HttpAnswer> ask(const std::string& address, const std::shared_ptr<TlsContext>& tls,
                       const std::string& server) {
  HttpClientConfig config;
  config.tls = tls;
  config.peer = server;
  auto client = HttpClient::to("https://" + address, config);
  REQUIRE(client);
  return client->send("GET", "/");
}

TEST_CASE("A server and its clients go on over the end of their first certificates",
          "[orchestrator][trust][renewal]") {
  const TestCluster cluster;
  const TempFolder folder;
  const auto first = cluster.identity(3s);
  const auto server_tls = TlsContext::server(first.tls());
  const auto client_tls = TlsContext::client(first.tls());
  const auto left_behind = TlsContext::client(first.tls());
  REQUIRE(server_tls);
  REQUIRE(client_tls);
  REQUIRE(left_behind);
  HttpServerConfig config;
  config.tls = *server_tls;
  TestServer server(answer_peer, config);

  Signer signer(cluster.authority, 3s, 2);
  CertificateKeeper keeper(first, folder.path(), *server_tls, *client_tls,
                           [&](const NodeIdentity& identity) { return signer(identity); });
  signer.wait_past(first.expires);

  // A certificate is shown a moment after it was signed: then the keeper has it.
  Result<HttpAnswer> answer = fail(Errc::io, "not asked yet");
  const auto give_up = std::chrono::steady_clock::now() + 60s;
  while (!answer && std::chrono::steady_clock::now() < give_up) {
    answer = ask(server.address(), *client_tls, first.node_id);
  }
  INFO((answer ? std::string() : answer.error().message));
  REQUIRE(answer);
  CHECK(answer->body == first.node_id);
  CHECK_FALSE(ask(server.address(), *left_behind, first.node_id));
  const auto saved = NodeIdentity::load(folder.path());
  REQUIRE(saved);
  CHECK(saved->expires > first.expires);
  CHECK(saved->key_pem == first.key_pem);
  CHECK(keeper.identity().expires > first.expires);
}

TEST_CASE("A certificate of another node is not taken over", "[orchestrator][trust][renewal]") {
  const TestCluster cluster;
  const TempFolder folder;
  const auto first = cluster.identity(1s);
  const auto tls = TlsContext::server(first.tls());
  const auto client_tls = TlsContext::client(first.tls());
  REQUIRE(tls);
  REQUIRE(client_tls);
  std::promise<void> asked;
  int calls = 0;
  {
    CertificateKeeper keeper(first, folder.path(), *tls, *client_tls,
                             [&](const NodeIdentity&) -> Result<std::string> {
                               if (++calls == 2) asked.set_value();
                               return cluster.identity().certificate_pem;
                             });
    REQUIRE(asked.get_future().wait_for(60s) == std::future_status::ready);
    CHECK(keeper.identity().certificate_pem == first.certificate_pem);
  }
  CHECK_FALSE(NodeIdentity::load(folder.path()));
}

}  // namespace
}  // namespace shoal

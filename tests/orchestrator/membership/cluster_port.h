#pragma once

#include <memory>
#include <string>

#include "orchestrator/membership/guard.h"
#include "orchestrator/membership/join_service.h"
#include "registry/http/client.h"
#include "tests/orchestrator/membership/wait_for_peers.h"
#include "tests/orchestrator/trust/cluster.h"
#include "tests/registry/http/test_server.h"

namespace shoal {

inline std::shared_ptr<TlsContext> client_tls(const TlsConfig& config) {
  auto tls = TlsContext::client(config);
  REQUIRE(tls);
  return *std::move(tls);
}

/// A member as others reach it: its port with TLS, and behind that the guard, join and renew; all
/// else answers "inside".
class ClusterPort {
 public:
  ClusterPort(TestCluster& cluster, bool authority, JoinServiceConfig config = {})
      : identity_(cluster.identity()), pool_(2) {
    auto server_tls = TlsContext::server(identity_.tls());
    REQUIRE(server_tls);
    HttpServerConfig http;
    http.tls = *std::move(server_tls);
    server_ =
        std::make_unique<TestServer>([this](Request& request) { return serve(request); }, http);
    auto member = member_named(identity_.node_id);
    member.urls = {url()};
    member.authority = authority;
    membership_ = std::make_unique<Membership>(*cluster.state, member, MembershipConfig{});
    REQUIRE(membership_->wait_until_live(std::chrono::seconds(60)));
    guard_ = std::make_unique<ClusterGuard>(*membership_, pool_);
    JoinParts parts{*cluster.state,
                    *membership_,
                    cluster.tokens,
                    authority ? &cluster.authority : nullptr,
                    client_tls(identity_.tls()),
                    pool_,
                    [this] {
                      return StateLocation{"embedded", {url()}, identity_.node_id};
                    }};
    service_ = std::make_unique<JoinService>(std::move(parts), config);
  }
  ~ClusterPort() {
    server_->stop(std::chrono::seconds(0));
    pool_.join();
  }
  ClusterPort(const ClusterPort&) = delete;
  ClusterPort& operator=(const ClusterPort&) = delete;

  [[nodiscard]] std::string address() const { return server_->address(); }
  [[nodiscard]] std::string url() const { return "https://" + address(); }
  [[nodiscard]] const NodeIdentity& identity() const { return identity_; }
  [[nodiscard]] Membership& membership() { return *membership_; }

  /// A request by whoever `tls` says.
  [[nodiscard]] Result<HttpAnswer> send(const TlsConfig& tls, const std::string& method,
                                        const std::string& path, const std::string& body = "") {
    HttpClientConfig config;
    config.tls = client_tls(tls);
    config.peer = identity_.node_id;
    auto client = HttpClient::to(url(), config);
    REQUIRE(client);
    return client->send(method, path, {}, body);
  }

 private:
  asio::awaitable<Response> serve(Request& request) {
    auto refused = co_await guard_->refuse(request);
    if (refused) co_return std::move(*refused);
    if (request.path == kJoinPath) co_return co_await service_->join(request);
    if (request.path == kRenewPath) co_return co_await service_->renew(request);
    Response response;
    response.body = "inside";
    co_return response;
  }

  NodeIdentity identity_;
  asio::thread_pool pool_;
  std::unique_ptr<Membership> membership_;
  std::unique_ptr<ClusterGuard> guard_;
  std::unique_ptr<JoinService> service_;
  std::unique_ptr<TestServer> server_;
};

}  // namespace shoal

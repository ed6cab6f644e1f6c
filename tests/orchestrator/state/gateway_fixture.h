#pragma once

#include <atomic>
#include <memory>
#include <string>

#include <boost/asio/thread_pool.hpp>

#include "orchestrator/state/embedded_state.h"
#include "orchestrator/state/etcd_state.h"
#include "orchestrator/state/state_gateway.h"
#include "registry/http/client.h"
#include "tests/registry/http/test_server.h"
#include "tests/storage/fixture.h"

namespace shoal {

/// An embedded state behind its gateway on a real server on loopback.
class GatewayFixture {
 public:
  explicit GatewayFixture(std::uint64_t history = 10'000) {
    auto opened = EmbeddedState::open({folder_.path(), history});
    REQUIRE(opened);
    embedded_ = std::move(*opened);
    gateway_ = std::make_unique<StateGateway>(
        *embedded_, pool_, [this](const std::string&) { return !removed_.load(); });
    server_ =
        std::make_unique<TestServer>([this](Request& request) { return gateway_->serve(request); });
  }
  ~GatewayFixture() { stop(); }

  void stop() {
    gateway_->stop();
    server_.reset();
  }

  /// From now on no peer is admitted.
  void remove_peers() { removed_ = true; }

  [[nodiscard]] EmbeddedState& embedded() { return *embedded_; }
  [[nodiscard]] StateGateway& gateway() { return *gateway_; }
  [[nodiscard]] std::string url() const { return "http://" + server_->address(); }

  /// A member's way to the state.
  [[nodiscard]] std::unique_ptr<EtcdState> client() const {
    EtcdConfig config;
    config.endpoints = {url()};
    config.prefix = "";
    auto client = EtcdState::to(std::move(config));
    REQUIRE(client);
    return std::move(*client);
  }

  [[nodiscard]] HttpClient http() const {
    auto client = HttpClient::to(url(), std::chrono::seconds(30));
    REQUIRE(client);
    return std::move(*client);
  }

 private:
  TempFolder folder_;
  asio::thread_pool pool_{4};
  std::unique_ptr<EmbeddedState> embedded_;
  std::atomic<bool> removed_{false};
  std::unique_ptr<StateGateway> gateway_;
  std::unique_ptr<TestServer> server_;
};

}  // namespace shoal

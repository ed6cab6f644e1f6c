// The contract of a state, held against real etcd servers.

#include <catch2/catch.hpp>

#include "orchestrator/state/etcd_state.h"
#include "tests/orchestrator/state/conformance.h"
#include "tests/orchestrator/state/etcd_server.h"

namespace shoal {
namespace {

/// Two clients of one cluster, which all fixtures share.
class EtcdFixture : public StateFixture {
 public:
  explicit EtcdFixture(const EtcdCluster& cluster)
      : state_(*EtcdState::to(cluster.config())), other_(*EtcdState::to(cluster.config())) {}
  State& state() override { return *state_; }
  State& other() override { return *other_; }

 private:
  std::unique_ptr<EtcdState> state_;
  std::unique_ptr<EtcdState> other_;
};

TEST_CASE("An etcd of one member keeps the contract of a state", "[orchestrator][state][etcd]") {
  static EtcdCluster cluster;
  run_conformance([] { return std::make_unique<EtcdFixture>(cluster); });
}

TEST_CASE("An etcd of three members keeps the contract of a state", "[orchestrator][state][etcd]") {
  static EtcdCluster cluster(EtcdOptions{3});
  run_conformance([] { return std::make_unique<EtcdFixture>(cluster); });
}

}  // namespace
}  // namespace shoal

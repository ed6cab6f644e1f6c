#include "cli/metrics.h"

#include <prometheus/registry.h>
#include <catch2/catch.hpp>

#include "tests/storage/fixture.h"

namespace shoal {
namespace {

using Catch::Contains;

TEST_CASE_METHOD(StoreTest, "The swarm's metrics are those of a node in a cluster", "[cli]") {
  const prometheus::Registry registry;
  CHECK_THAT(metrics_text(registry, *store, nullptr), !Contains("shoal_swarm_"));

  ClusterStatus cluster;
  cluster.swarm.transfers = {1, 2, 3, 4, 5, 6};
  cluster.swarm.torrents = 7;
  cluster.swarm.tunnels = 8;
  cluster.swarm.received_bytes = 9;
  cluster.swarm.sent_bytes = 10;
  cluster.swarm.waiting_bytes = 11;
  cluster.swarm.lent_bytes = 12;
  const auto text = metrics_text(registry, *store, &cluster);
  for (const auto* line :
       {"transfers 1", "finished_total 2", "finished_bytes_total 3", "failed_total 4",
        "wrong_total 5", "https_bytes_total 6", "torrents 7", "tunnels 8", "received_bytes_total 9",
        "sent_bytes_total 10", "waiting_bytes 11", "lent_bytes 12"}) {
    CHECK_THAT(text, Contains("\nshoal_swarm_" + std::string(line) + "\n"));
  }
  CHECK_THAT(text, Contains("# TYPE shoal_swarm_failed_total counter\n"));
  CHECK_THAT(text, Contains("# TYPE shoal_swarm_lent_bytes gauge\n"));
}

TEST_CASE_METHOD(StoreTest, "What is on its way into the store is in the metrics", "[cli]") {
  const std::string content(100'000, 'x');
  const auto arrival = store->arrivals().open({Digest::of(content), content.size(), 64 << 10, ""});
  REQUIRE(arrival);
  const auto text = metrics_text(prometheus::Registry(), *store, nullptr);
  CHECK_THAT(text, Contains("\nshoal_store_arrivals 1\n"));
  CHECK_THAT(text, Contains("\nshoal_store_arrival_bytes 100000\n"));
}

}  // namespace
}  // namespace shoal

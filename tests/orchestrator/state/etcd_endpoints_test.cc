#include "orchestrator/state/etcd_endpoints.h"

#include <algorithm>
#include <set>

#include <catch2/catch.hpp>

namespace shoal {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const EtcdEndpoints::Time kNow = EtcdEndpoints::Time{} + seconds(1000);

TEST_CASE("An endpoint that works is kept, and one that fails is left for another",
          "[orchestrator][state][etcd]") {
  EtcdEndpoints endpoints({"a", "b", "c"}, 1);
  const auto first = endpoints.choose().index;
  endpoints.worked(first);
  CHECK(endpoints.choose().index == first);
  endpoints.failed(first, kNow, kNow);
  const auto second = endpoints.choose().index;
  CHECK(second != first);
  endpoints.failed(second, kNow, kNow);
  const auto third = endpoints.choose().index;
  CHECK(std::set{first, second, third}.size() == 3);
  CHECK(endpoints.choose().not_before <= kNow);
  endpoints.failed(third, kNow, kNow + milliseconds(1));
  CHECK(endpoints.choose().not_before == kNow + seconds(1));
}

TEST_CASE("The pause of an endpoint that goes on failing doubles up to 30 s and ends with success",
          "[orchestrator][state][etcd]") {
  EtcdEndpoints endpoints({"a", "b"}, 1);
  const auto failing = endpoints.choose().index;
  const auto other = 1 - failing;
  auto now = kNow;
  for (const int pause : {1, 2, 4, 8, 16, 30, 30}) {
    endpoints.failed(failing, now, now);
    endpoints.worked(other);
    // Only a failure of the other one shows when the first is due.
    endpoints.failed(other, now + seconds(pause), now + seconds(pause));
    endpoints.failed(other, now + seconds(pause), now + seconds(pause));
    CHECK(endpoints.choose().index == failing);
    CHECK(endpoints.choose().not_before - now == seconds(std::min(pause, 5)));
    endpoints.worked(other);
    now += seconds(pause);
  }
  endpoints.worked(failing);
  CHECK(endpoints.choose().not_before <= kNow);
  endpoints.failed(failing, now, now);
  endpoints.failed(other, now, now + milliseconds(1));
  CHECK(endpoints.choose().not_before - now == seconds(1));
}

TEST_CASE("When none works, one is due every 5 s at the latest", "[orchestrator][state][etcd]") {
  EtcdEndpoints endpoints({"a"}, 1);
  CHECK(endpoints.choose().away_since == EtcdEndpoints::Time::max());
  auto now = kNow;
  for (const int pause : {1, 2, 4, 5, 5}) {
    endpoints.failed(0, now, now);
    CHECK(endpoints.choose().not_before - now == seconds(pause));
    CHECK(endpoints.choose().away_since == kNow);
    now = endpoints.choose().not_before;
  }
  endpoints.worked(0);
  CHECK(endpoints.choose().away_since == EtcdEndpoints::Time::max());
}

TEST_CASE("Attempts that ran at once and failed count as one", "[orchestrator][state][etcd]") {
  EtcdEndpoints endpoints({"a"}, 1);
  endpoints.failed(0, kNow, kNow + seconds(1));
  endpoints.failed(0, kNow, kNow + seconds(1));
  endpoints.failed(0, kNow + milliseconds(500), kNow + seconds(2));
  CHECK(endpoints.choose().not_before == kNow + seconds(2));
}

TEST_CASE("Clients begin with different endpoints", "[orchestrator][state][etcd]") {
  std::set<std::string> first;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    const EtcdEndpoints endpoints({"a", "b", "c"}, seed);
    first.insert(endpoints.url(endpoints.choose().index));
  }
  CHECK(first.size() == 3);
}

}  // namespace
}  // namespace shoal

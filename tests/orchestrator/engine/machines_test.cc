// The state machines of health and restarts, by a clock of their own.

#include <random>

#include <catch2/catch.hpp>

#include "orchestrator/engine/health_tracker.h"
#include "orchestrator/engine/restart_backoff.h"

namespace shoal {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

CccfHealthCheck check_of(unsigned retries, seconds start_period = seconds(0)) {
  CccfHealthCheck check;
  check.interval = seconds(5);
  check.start_period = start_period;
  check.retries = retries;
  return check;
}

TEST_CASE("A container is starting until the first success, which makes it healthy", "[engine]") {
  SteadyTime now{};
  HealthTracker tracker(check_of(3), now);
  CHECK(tracker.health() == Health::starting);
  CHECK(tracker.next() == now + seconds(1));
  now = tracker.next();
  tracker.passed(now);
  CHECK(tracker.health() == Health::healthy);
  CHECK(tracker.next() == now + seconds(5));
}

TEST_CASE("Failures in a row make a container unhealthy, and one success healthy again",
          "[engine]") {
  SteadyTime now{};
  HealthTracker tracker(check_of(3), now);
  tracker.passed(now);
  tracker.failed(now, "refused");
  tracker.failed(now, "refused");
  CHECK(tracker.health() == Health::healthy);
  tracker.passed(now);
  CHECK(tracker.failures_in_a_row() == 0);
  for (int i = 0; i < 3; ++i) tracker.failed(now, "refused");
  CHECK(tracker.health() == Health::unhealthy);
  CHECK(tracker.failure() == "refused");
  tracker.passed(now);
  CHECK(tracker.health() == Health::healthy);
  CHECK(tracker.failure().empty());
}

TEST_CASE("Failures within the start period do not count, unless it was healthy once", "[engine]") {
  const SteadyTime start{};
  HealthTracker slow(check_of(1, seconds(60)), start);
  slow.failed(start + seconds(59), "not yet");
  CHECK(slow.health() == Health::starting);
  slow.failed(start + seconds(60), "still not");
  CHECK(slow.health() == Health::unhealthy);

  HealthTracker fast(check_of(1, seconds(60)), start);
  fast.passed(start + seconds(1));
  fast.failed(start + seconds(2), "gone");
  CHECK(fast.health() == Health::unhealthy);
}

TEST_CASE("A container that ends is started after 5 s, 10 s ... and at most 5 min", "[engine]") {
  RestartBackoff backoff;
  SteadyTime now{};
  CHECK(backoff.may_start(now));
  for (const int wait : {5, 10, 20, 40, 80, 160, 300, 300}) {
    backoff.ended(now);
    CHECK(backoff.next_start() == now + seconds(wait));
    CHECK_FALSE(backoff.may_start(now + seconds(wait) - milliseconds(1)));
    now += seconds(wait);
    CHECK(backoff.may_start(now));
    backoff.well(now);
    now += minutes(9);
  }
}

TEST_CASE("Ten minutes of health in one piece make the next wait 5 s again", "[engine]") {
  RestartBackoff backoff;
  SteadyTime now{};
  for (int i = 0; i < 4; ++i) backoff.ended(now);
  backoff.well(now);
  now += minutes(6);
  backoff.unwell();
  backoff.well(now);
  now += minutes(6);
  backoff.ended(now);
  CHECK(backoff.next_start() - now == seconds(80));
  backoff.well(now);
  backoff.well(now + minutes(5));
  now += minutes(10);
  backoff.ended(now);
  CHECK(backoff.next_start() - now == seconds(5));
}

TEST_CASE("Five ends in ten minutes are flapping, slower ones are not", "[engine]") {
  RestartBackoff fast;
  SteadyTime now{};
  for (int i = 0; i < 5; ++i) {
    CHECK_FALSE(fast.flaps(now));
    now += minutes(2);
    fast.ended(now);
  }
  CHECK(fast.flaps(now));
  CHECK_FALSE(fast.flaps(now + minutes(2)));
  RestartBackoff slow;
  for (int i = 0; i < 20; ++i) {
    now += minutes(3);
    slow.ended(now);
    CHECK_FALSE(slow.flaps(now));
  }
}

TEST_CASE("The wait stays between its bounds and never shrinks without ten good minutes",
          "[engine]") {
  std::mt19937 chance(5);
  for (int round = 0; round < 200; ++round) {
    RestartBackoff backoff;
    SteadyTime now{};
    seconds before{0};
    for (int i = 0; i < 50; ++i) {
      const seconds well(chance() % 1200);
      backoff.well(now);
      now += well;
      backoff.ended(now);
      const auto wait = std::chrono::duration_cast<seconds>(backoff.next_start() - now);
      CHECK(wait >= RestartBackoff::kFirst);
      CHECK(wait <= RestartBackoff::kLongest);
      if (well >= RestartBackoff::kWellFor)
        CHECK(wait == RestartBackoff::kFirst);
      else
        CHECK(wait >= before);
      before = wait;
    }
  }
}

}  // namespace
}  // namespace shoal

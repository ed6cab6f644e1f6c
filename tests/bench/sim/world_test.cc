#include "bench/sim/world.h"

#include <numeric>
#include <sstream>
#include <string>

#include <catch2/catch.hpp>

#include "bench/sim/costs.h"
#include "bench/sim/report.h"

namespace shoal::sim {
namespace {

Options small() {
  Options options;
  options.hosts = 8;
  options.bytes = 8 << 20;
  return options;
}

/// All figures of a world that has run, in full precision.
std::string told(const Options& options) {
  World world(options);
  world.run();
  std::ostringstream text;
  text << std::hexfloat;
  for (const auto& [name, value] : report(world).numbers) text << name << '=' << value << '\n';
  return text.str();
}

double seconds(Time time) { return std::chrono::duration<double>(time).count(); }

std::uint64_t sum(const World& world, std::uint64_t Member::*of) {
  return std::accumulate(
      world.members().begin(), world.members().end(), std::uint64_t{0},
      [of](std::uint64_t all, const Member& member) { return all + member.*of; });
}

TEST_CASE("A simulated world depends on its seed alone") {
  for (const auto workload : {Workload::w1, Workload::w3, Workload::w7, Workload::w9}) {
    auto options = small();
    options.workload = workload;
    options.layers = workload == Workload::w3 ? 3 : 1;
    const auto first = told(options);
    CHECK(first == told(options));
    options.seed = 2;
    CHECK(first != told(options));
  }
}

TEST_CASE("One simulated host takes the content's time on the link, and what the messages take") {
  auto options = small();
  options.hosts = 1;
  options.bytes = 64 << 20;
  options.start_within = Time(0);
  options.latency = GENERATE(std::chrono::microseconds(50), std::chrono::milliseconds(5));
  World world(options);
  world.run();
  const auto& host = world.members()[1];
  REQUIRE(host.state == Member::State::done);
  const auto link = static_cast<double>(options.bytes) / options.up;
  // Two requests over HTTPS and the connection come before the first byte, the commit after the
  // last one.
  const auto round_trips = 2 * kRequestRoundTrips + kConnectRoundTrips + 1;
  const auto messages = 2 * round_trips * options.latency + 2 * kRequestWork + kBeginWork +
                        kConnectWork + kCommitWork;
  const double least = link + seconds(messages);
  CHECK(seconds(host.done) >= least);
  // Headers are 0.3 %; and the queue of requests begins with four blocks.
  CHECK(seconds(host.done) <= least + 0.005 * link + 0.15);
}

TEST_CASE("Simulated hosts receive what was sent, and keep each byte once") {
  auto options = small();
  options.readers = GENERATE(false, true);
  World world(options);
  world.run();
  // What is on its way when the last one is done has left already.
  const auto sent = sum(world, &Member::sent);
  const auto received = sum(world, &Member::received);
  const auto duplicate = sum(world, &Member::duplicate);
  CHECK(received - duplicate == options.hosts * options.bytes);
  CHECK(sent >= received);
  CHECK(sent - received <= options.hosts * options.hosts * 16 * world.shape(0).unit_bytes);
}

TEST_CASE("No simulated world is faster than the bound") {
  auto options = small();
  options.hosts = GENERATE(2, 3, 8, 20);
  World world(options);
  world.run();
  const double bound = bound_seconds(options);
  for (std::size_t host = 1; host <= options.hosts; ++host) {
    const auto& member = world.members()[host];
    REQUIRE(member.state == Member::State::done);
    CHECK(seconds(member.done - member.wanted) >= bound);
  }
}

TEST_CASE("Two simulated hosts are near the bound, since each gives the other what it got") {
  auto options = small();
  options.hosts = 2;
  options.bytes = 64 << 20;
  const auto alone = static_cast<double>(options.hosts * options.bytes) / options.seed_up;
  World world(options);
  world.run();
  for (std::size_t host = 1; host <= options.hosts; ++host) {
    const double time = seconds(world.members()[host].done);
    CHECK(time >= bound_seconds(options));
    CHECK(time < 0.6 * alone);  // The bound is half of it.
  }
}

TEST_CASE("A simulated host that can get no more fails, and its world ends") {
  auto options = small();
  options.workload = Workload::w7;
  options.hosts = 4;
  options.up =
      1;  // The seed dies before it has sent a copy, and the replica sends next to nothing.
  options.seed_up = 1000;
  World world(options);
  world.run();
  CHECK(world.unfinished() == 0);
  CHECK(report(world).numbers.at("failed") == 3);
  CHECK(report(world).numbers.at("finished") == 0);
}

TEST_CASE("A simulated world that lasts too long is cut off, and says what had not ended") {
  auto options = small();
  options.end_at = std::chrono::milliseconds(500);
  World world(options);
  world.run();
  CHECK(world.unfinished() == options.hosts);
  CHECK(report(world).numbers.at("unfinished") == static_cast<double>(options.hosts));
}

TEST_CASE(
    "When the simulated seed and others die, those that are left have it all from a replica") {
  auto options = small();
  options.workload = Workload::w7;
  options.hosts = 12;
  options.bytes = 32 << 20;
  World world(options);
  world.run();
  const auto numbers = report(world).numbers;
  CHECK(numbers.at("failed") == 0);
  CHECK(numbers.at("finished") == static_cast<double>(options.hosts - 1 - victims(options)));
}

TEST_CASE("A simulated pull is hardly slowed by the prefetch of something else") {
  auto options = small();
  options.bytes = 48 << 20;
  World alone(options);
  alone.run();
  options.workload = Workload::w9;
  World beside(options);
  beside.run();
  const double before = report(alone).numbers.at("p50_s");
  const double after = report(beside).numbers.at("p50_s");
  CHECK(after >= before * 0.99);
  CHECK(after < 2 * before);  // As much as both alike would take.
}

}  // namespace
}  // namespace shoal::sim

#include "orchestrator/images/copy_jobs.h"

#include <future>

#include <catch2/catch.hpp>

namespace shoal {
namespace {

constexpr std::chrono::milliseconds kAtOnce{0};
constexpr std::chrono::hours kForever{1};

/// Work that goes on until it is let go.
struct Held {
  std::promise<void> release;
  std::shared_future<void> released = release.get_future().share();
  std::atomic<int> begun{0};

  CopyJobs::Work work() {
    return [this](std::atomic<std::uint64_t>& steps, const std::atomic<bool>&) -> Result<void> {
      ++begun;
      steps = 7;
      released.wait();
      return {};
    };
  }
};

TEST_CASE("Work of one name is done once for all that ask", "[orchestrator][jobs]") {
  Held held;
  CopyJobs jobs(2);
  auto standing = jobs.run("a", held.work(), kAtOnce);
  REQUIRE(standing);
  CHECK_FALSE(standing->ended);
  auto other = std::async(std::launch::async, [&] { return jobs.run("a", held.work(), kForever); });
  while (held.begun == 0) std::this_thread::yield();
  standing = jobs.run("a", held.work(), kAtOnce);
  REQUIRE(standing);
  CHECK_FALSE(standing->ended);
  CHECK(standing->steps == 7);
  CHECK(jobs.active() == 1);
  held.release.set_value();
  const auto end = other.get();
  REQUIRE(end);
  CHECK(end->ended);
  CHECK_FALSE(end->error);
  CHECK(held.begun == 1);
}

TEST_CASE("An end that nobody waited for is told to the next who asks", "[orchestrator][jobs]") {
  std::atomic<int> times{0};
  const auto fails = [&](std::atomic<std::uint64_t>&, const std::atomic<bool>&) -> Result<void> {
    ++times;
    return fail(Errc::disk_full, "no room");
  };
  CopyJobs jobs(1);
  REQUIRE(jobs.run("a", fails, kAtOnce));
  while (jobs.active() > 0) std::this_thread::yield();
  const auto told = jobs.run("a", fails, kForever);
  REQUIRE(told);
  REQUIRE(told->error);
  CHECK(told->error->code == Errc::disk_full);
  CHECK(times <= 2);
  REQUIRE(jobs.run("a", fails, kForever)->error);  // Forgotten by now: done anew.
  CHECK(times >= 2);
}

TEST_CASE("Jobs that stop let nobody wait", "[orchestrator][jobs]") {
  CopyJobs jobs(1);
  const auto endless = [](std::atomic<std::uint64_t>&,
                          const std::atomic<bool>& stop) -> Result<void> {
    while (!stop) std::this_thread::yield();
    return {};
  };
  jobs.start("a", endless);
  auto waiting = std::async(std::launch::async, [&] { return jobs.run("b", endless, kForever); });
  while (jobs.active() < 2) std::this_thread::yield();
  jobs.stop();
  CHECK(waiting.get().error().code == Errc::unavailable);
  CHECK(jobs.run("c", endless, kForever).error().code == Errc::unavailable);
}

}  // namespace
}  // namespace shoal

// Reconciling against a fake engine, with its faults.

#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <catch2/catch.hpp>

#include "orchestrator/engine/host_runner.h"
#include "orchestrator/engine/reconciler.h"
#include "tests/orchestrator/engine/engine_bench.h"

namespace shoal {
namespace {

using Fault = FakeEngine::Fault;
using std::chrono::milliseconds;
using std::chrono::seconds;

EngineKind either() { return GENERATE(EngineKind::docker, EngineKind::podman); }

EngineConfig hurried() {
  EngineConfig config;
  config.answer_timeout = milliseconds(300);
  return config;
}

class HostBench : public EngineBench {
 public:
  explicit HostBench(EngineKind kind, ReconcilerConfig config = {})
      : EngineBench(kind, hurried()), reconciler(engine, config, {}, [this] { return now; }) {}

  WantedSlot publish(WantedSlot slot) {
    fake.publish(slot.image.text());
    return slot;
  }
  Reconciler::Report settle(std::vector<WantedSlot> slots) {
    const auto report = run(reconciler.settle({kCluster, 100, std::move(slots)}));
    REQUIRE(report);
    return *report;
  }
  /// `web=running web-next=created`, sorted.
  std::string state() {
    std::vector<std::string> all;
    for (const auto& one : fake.containers()) {
      all.push_back(fmt::format("{}={}", one.name, to_string(one.phase)));
    }
    std::sort(all.begin(), all.end());
    return fmt::format("{}", fmt::join(all, " "));
  }

  SteadyTime now = SteadyTime() + std::chrono::hours(1);
  Reconciler reconciler;
};

TEST_CASE("An assignment becomes running containers with its labels, and settles", "[engine]") {
  HostBench bench(either());
  const auto web = bench.publish(slot_of("web", 1));
  const auto db = bench.publish(slot_of("db", 2, "2"));
  const auto report = bench.settle({web, db});
  CHECK(report.settled());
  CHECK(report.done.size() == 6);
  CHECK(bench.state() == "db=running web=running");
  CHECK(SlotLabels::parse(bench.fake.container("web")->labels) == web.labels(kCluster));
  const auto before = bench.fake.requests().size();
  CHECK(bench.settle({web, db}).done.empty());
  const auto requests = bench.fake.requests();
  for (auto i = before; i < requests.size(); ++i) CHECK(requests[i].starts_with("GET "));
}

TEST_CASE("An update waits for the gate, then replaces the container under its own name",
          "[engine]") {
  HostBench bench(either());
  const auto old = bench.publish(slot_of("web", 1));
  bench.settle({old});
  auto next = bench.publish(slot_of("web", 2, "2"));
  const auto held = bench.settle({next});
  CHECK(bench.state() == "web-next=created web=running");
  REQUIRE(held.holds.size() == 1);
  CHECK_FALSE(held.settled());
  CHECK(bench.fake.count("/stop") == 0);
  next.take_over = true;
  CHECK(bench.settle({next}).settled());
  CHECK(bench.state() == "web=running");
  CHECK(SlotLabels::parse(bench.fake.container("web")->labels)->generation == 2);
}

TEST_CASE("What shoal did not create is not touched, whatever it is called", "[engine]") {
  HostBench bench(either(), {8, 2, Sweep::remove, seconds(0)});
  bench.fake.add("web", {}, ContainerPhase::running);
  bench.fake.add("old", slot_of("old", 1).labels("c2").to_map(), ContainerPhase::running);
  bench.fake.add("forged", {{"shoal.owner", "c1"}}, ContainerPhase::exited);
  const auto before = bench.state();
  auto web = bench.publish(slot_of("web", 1));
  web.take_over = true;
  const auto report = bench.settle({web});
  CHECK_FALSE(report.settled());
  CHECK(report.done.back().error->code == Errc::conflict);
  CHECK(bench.state() == before);
  for (const auto* change : {"/start", "/stop", "/kill", "/rename", "DELETE"}) {
    CHECK(bench.fake.count(change) == 0);
  }
}

TEST_CASE("A container is taken over when an operator names it by its id, and not before",
          "[engine]") {
  HostBench bench(either());
  const auto id = bench.fake.add("web", {}, ContainerPhase::running);
  auto web = bench.publish(slot_of("web", 1));
  web.adopt = id;
  bench.settle({web});
  CHECK(bench.state() == "web-next=created web=running");
  web.take_over = true;
  CHECK(bench.settle({web}).settled());
  CHECK(bench.state() == "web=running");
  CHECK(bench.fake.container("web")->id != id);
}

TEST_CASE("A slot whose image cannot be had costs its predecessor nothing", "[engine]") {
  HostBench bench(either());
  bench.settle({bench.publish(slot_of("web", 1))});
  auto next = slot_of("web", 2, "2");
  next.take_over = true;
  CHECK_FALSE(bench.settle({next}).settled());
  CHECK(bench.state() == "web=running");
  // It is not asked for again at once.
  const auto pulls = bench.fake.count("/images/create");
  bench.settle({next});
  CHECK(bench.fake.count("/images/create") == pulls);
  bench.publish(next);
  bench.now += seconds(5);
  CHECK(bench.settle({next}).settled());
}

TEST_CASE("A failure of one slot does not hold up the others", "[engine]") {
  HostBench bench(either());
  const auto bad = bench.publish(slot_of("bad", 1));
  const auto good = bench.publish(slot_of("good", 1));
  bench.fake.script({"/create?name=bad", Fault::Kind::answer, 500, "{}", 0, 1});
  CHECK_FALSE(bench.settle({bad, good}).settled());
  CHECK(bench.state() == "good=running");
}

TEST_CASE("A container that ends is started again after its wait, which grows", "[engine]") {
  HostBench bench(either());
  const auto web = bench.publish(slot_of("web", 1));
  bench.settle({web});
  for (const int wait : {5, 10, 20}) {
    bench.fake.end("web", 1);
    CHECK(bench.settle({web}).holds.size() == 1);
    bench.now += seconds(wait) - milliseconds(1);
    bench.settle({web});
    CHECK(bench.state() == "web=exited");
    bench.now += milliseconds(1);
    CHECK(bench.settle({web}).settled());
    CHECK(bench.state() == "web=running");
  }
}

TEST_CASE("A container that the engine restarts again and again is kept down for a while",
          "[engine]") {
  HostBench bench(either());
  const auto web = bench.publish(slot_of("web", 1));
  bench.settle({web});
  for (int i = 0; i < 5; ++i) {
    CHECK(bench.state() == "web=running");
    bench.now += seconds(10);
    bench.fake.restart("web", 3);
    bench.settle({web});
  }
  CHECK(bench.state() == "web=exited");
  bench.now += seconds(79);
  bench.settle({web});
  CHECK(bench.state() == "web=exited");
  bench.now += seconds(1);
  bench.settle({web});
  CHECK(bench.state() == "web=running");
}

TEST_CASE("After a restart of shoal what ended before is started without a wait", "[engine]") {
  HostBench bench(either());
  const auto web = bench.publish(slot_of("web", 1));
  bench.settle({web});
  bench.fake.end("web", 1);
  Reconciler fresh(bench.engine, {}, {}, [&] { return bench.now; });
  CHECK(bench.run(fresh.settle({kCluster, 100, {web}}))->settled());
  CHECK(bench.state() == "web=running");
}

TEST_CASE("Leftovers are reported, and removed only where that is wanted and after a grace",
          "[engine]") {
  const bool removes = GENERATE(false, true);
  HostBench bench(either(), {8, 2, removes ? Sweep::remove : Sweep::report, seconds(300)});
  static_cast<void>(bench.owned(slot_of("gone", 1), ContainerPhase::running));
  CHECK(bench.settle({}).holds.size() == 1);
  bench.now += seconds(299);
  bench.settle({});
  CHECK(bench.state() == "gone=running");
  bench.now += seconds(1);
  bench.settle({});
  CHECK(bench.state() == (removes ? "" : "gone=running"));
}

TEST_CASE("With start-first a checked successor is waited for, before and after it is known",
          "[engine]") {
  HostBench bench(either());
  bench.settle({bench.publish(slot_of("web", 1))});
  auto next = bench.publish(slot_of("web", 2, "2"));
  next.take_over = true;
  next.order = WantedSlot::Order::start_first;
  next.health.emplace();
  bench.settle({next});
  CHECK(bench.state() == "web-next=running web=running");
  const auto id = bench.fake.container("web-next")->id;
  bench.reconciler.set_health(id, Health::unhealthy);
  bench.settle({next});
  CHECK(bench.state() == "web-next=running web=running");
  bench.reconciler.set_health(id, Health::healthy);
  CHECK(bench.settle({next}).settled());
  CHECK(bench.state() == "web=running");
}

TEST_CASE("Random faults of an engine end in what was wanted, and with no container twice",
          "[engine]") {
  const auto kind = either();
  for (unsigned seed = 0; seed < 8; ++seed) {
    CAPTURE(seed);
    std::mt19937 chance(seed);
    HostBench bench(kind);
    std::vector<WantedSlot> slots;
    for (const auto* name : {"a", "b", "c"}) slots.push_back(bench.publish(slot_of(name, 1)));
    static const std::vector<std::string> kMatches = {
        "/create?name", "/start", "/stop", "/rename", "DELETE", "/images/create", "/json"};
    static const std::vector<Fault::Kind> kKinds = {Fault::Kind::lose_reply, Fault::Kind::drop,
                                                    Fault::Kind::answer, Fault::Kind::tear};
    for (int round = 0; round < 8; ++round) {
      for (auto& slot : slots) {
        if (chance() % 3 == 0) {
          const auto spec = std::to_string(chance() % 3);
          slot = bench.publish(slot_of(slot.slot, slot.generation + 1, spec));
        }
        slot.take_over = chance() % 2 == 0;
      }
      for (int i = 0; i < 4; ++i) {
        bench.fake.script({kMatches[chance() % kMatches.size()], kKinds[chance() % kKinds.size()],
                           chance() % 2 == 0 ? 409 : 500});
      }
      static_cast<void>(bench.run(bench.reconciler.settle({kCluster, 100, slots})));
      bench.now += std::chrono::minutes(6);
      for (const auto& slot : slots) {
        const auto all = bench.fake.containers();
        CHECK(std::count_if(all.begin(), all.end(), [&](const auto& one) {
                return one.labels.at("shoal.slot") == slot.slot &&
                       one.phase == ContainerPhase::running;
              }) <= 1);
      }
    }
    for (auto& slot : slots) slot.take_over = true;
    // Scripted faults that are left are used up meanwhile.
    for (int round = 0; round < 40; ++round) {
      static_cast<void>(bench.run(bench.reconciler.settle({kCluster, 100, slots})));
      bench.now += std::chrono::minutes(6);
    }
    CHECK(bench.state() == "a=running b=running c=running");
    for (const auto& slot : slots) {
      const auto one = bench.fake.container(slot.slot);
      REQUIRE(one);
      CHECK(slot.is_met_by(*SlotLabels::parse(one->labels)));
    }
  }
}

asio::awaitable<Result<Reconciler::Report>> one_round(Reconciler& reconciler,
                                                      std::shared_ptr<const Assignment> wanted) {
  auto report = co_await reconciler.round(std::move(wanted));
  const auto soon = std::chrono::steady_clock::now() + milliseconds(100);
  co_await reconciler.wait(soon);
  co_return report;
}

TEST_CASE("A pull that takes long holds up its own slot alone, and ends when nobody wants it",
          "[engine]") {
  HostBench bench(either());
  const auto web = bench.publish(slot_of("web", 1));
  const auto db = bench.publish(slot_of("db", 1, "2"));
  const auto round = [&](std::vector<WantedSlot> slots) {
    const Assignment wanted{kCluster, 100, std::move(slots)};
    const auto report =
        bench.run(one_round(bench.reconciler, std::make_shared<const Assignment>(wanted)));
    REQUIRE(report);
    for (const auto& done : report->done) CHECK_FALSE(done.error);
    return *report;
  };
  bench.fake.script({"/images/create", Fault::Kind::hold});
  CHECK(round({web}).under_way == 1);
  REQUIRE(bench.fake.wait_for("/images/create"));
  for (int i = 0; i < 20 && bench.state() != "db=running"; ++i) round({web, db});
  CHECK(bench.state() == "db=running");
  const auto held = round({web, db});
  CHECK(held.under_way == 1);
  CHECK(held.seen.containers.size() == 1);
  for (int i = 0; i < 20 && round({db}).under_way > 0; ++i) continue;
  CHECK(round({db}).settled());
  CHECK(bench.fake.count("/images/create") == 2);
}

asio::awaitable<bool> run_to_end(HostRunner& runner, Interrupt& interrupt) {
  co_await runner.run(interrupt);
  co_return true;
}

TEST_CASE("A runner acts on orders, on events and on failures, and ends all it started",
          "[engine]") {
  EngineBench bench(either(), hurried());
  auto web = slot_of("web", 1);
  bench.fake.publish(web.image.text());
  web.health.emplace();
  web.health->kind = CccfHealthCheck::Kind::exec;
  web.health->command = {"true"};
  web.health->interval = milliseconds(10);
  Interrupt interrupt;
  int settled = 0;
  const HostRunner::Sink sink = [&](const Result<Reconciler::Report>& report) {
    if (!report || !report->settled()) return;
    ++settled;
    // It runs, and its check is content: an event about its end brings the next round.
    if (settled == 1) {
      bench.fake.lose("web");
      bench.fake.event(
          R"({"Type":"container","Action":"destroy","Actor":{"ID":"a"},"time":1795781000})");
    }
    if (settled == 2) interrupt.raise();
  };
  HostRunnerConfig config;
  config.resync = std::chrono::hours(1);
  config.gather = milliseconds(1);
  HostRunner runner(bench.engine, config, sink);
  runner.order({kCluster, 100, {web}});
  CHECK(bench.run(run_to_end(runner, interrupt)));
  CHECK(bench.fake.container("web")->phase == ContainerPhase::running);
  CHECK(bench.fake.count("/exec") > 1);
}

TEST_CASE("A runner without orders touches nothing", "[engine]") {
  EngineBench bench(either(), hurried());
  static_cast<void>(bench.owned(slot_of("web", 1), ContainerPhase::exited));
  Interrupt interrupt;
  HostRunnerConfig config;
  config.resync = milliseconds(5);
  config.gather = milliseconds(1);
  HostRunner runner(bench.engine, config, {});
  asio::steady_timer timer(bench.loop, milliseconds(60));
  timer.async_wait([&](const auto&) { interrupt.raise(); });
  CHECK(bench.run(run_to_end(runner, interrupt)));
  CHECK(bench.fake.count("POST") == 0);
}

}  // namespace
}  // namespace shoal

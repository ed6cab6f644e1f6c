// The client of an engine against a real one: the same cases on Docker and on podman. Not one of
// the unit tests: tests/e2e/test_engine.py starts the engine and runs these one by one, with
//   SHOAL_ENGINE_SOCKET  the engine's socket,
//   SHOAL_ENGINE_IMAGE   a busybox as 127.0.0.1:PORT/REPOSITORY@DIGEST, which a registry serves,
//   SHOAL_ENGINE_KIND    docker or podman.

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <exception>
#include <functional>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <catch2/catch.hpp>

#include "orchestrator/cccf/read.h"
#include "orchestrator/engine/create_document.h"
#include "orchestrator/engine/engine_events.h"
#include "orchestrator/engine/engine_logs.h"
#include "orchestrator/engine/health_probe.h"
#include "orchestrator/engine/host_runner.h"
#include "orchestrator/engine/reconciler.h"
#include "orchestrator/engine/wanted_slot.h"
#include "tests/orchestrator/engine/loop_run.h"

namespace shoal {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

std::string environment(const char* name) {
  const char* const value = std::getenv(name);
  if (value == nullptr) throw std::runtime_error(std::string(name) + " is not set");
  return value;
}

const char* const kForever = "trap 'exit 7' TERM; while :; do sleep 0.05; done";

/// A port that nobody listens on.
std::uint16_t free_port() {
  asio::io_context context;
  const asio::ip::tcp::endpoint any(asio::ip::address_v4::loopback(), 0);
  return asio::ip::tcp::acceptor(context, any).local_endpoint().port();
}

/// One case's own cluster on the engine; what it leaves is removed.
class RealBench {
 public:
  RealBench()
      : cluster(fmt::format("check-{:x}", std::chrono::steady_clock::now().time_since_epoch() /
                                              std::chrono::nanoseconds(1))),
        image(*ImageReference::parse(environment("SHOAL_ENGINE_IMAGE"))),
        engine(loop.get_executor(), config()) {}
  ~RealBench() {
    const auto left = run(engine.list("shoal.owner=" + cluster));
    if (!left) return;
    for (const auto& one : *left) {
      const auto owned = OwnedContainer::of(one, cluster);
      if (!owned) continue;
      static_cast<void>(run(engine.kill(*owned, "KILL")));
      static_cast<void>(run(engine.remove(*owned)));
    }
  }

  template <class T>
  T run(asio::awaitable<T> task) {
    return run_on_loop(loop, std::move(task));
  }

  [[nodiscard]] bool podman() const { return environment("SHOAL_ENGINE_KIND") == "podman"; }
  void pull() { REQUIRE(run(engine.pull({image}, {}))); }

  /// A slot that runs a shell script; `fields` are further ones of its cccf item.
  WantedSlot slot(const std::string& name, const std::string& script, std::uint64_t generation = 1,
                  const std::string& fields = {}) {
    const auto text =
        fmt::format(R"({{"id":"{}","image":"app/busybox:1","network":"host","entrypoint":"sh -c",)"
                    R"("cmd":"{}","stop_grace":"5s"{}{}}})",
                    name, "\\\"" + script + "\\\"", fields.empty() ? "" : ",", fields);
    CccfDiagnostics problems;
    const auto read = read_cccf(text);
    REQUIRE(read);
    auto wanted = wanted_slot(read->items.at(0), image, cluster + "-" + name, generation, problems);
    for (const auto& problem : problems) FAIL_CHECK(to_text(problem));
    return wanted;
  }
  OwnedContainer create(const WantedSlot& wanted) {
    const auto made = run(engine.create(wanted.slot, wanted.document, wanted.labels(cluster)));
    if (!made) FAIL(made.error().message);
    return *made;
  }
  OwnedContainer start(const WantedSlot& wanted) {
    auto made = create(wanted);
    const auto started = run(engine.start(made));
    if (!started) FAIL(started.error().message);
    return made;
  }
  Container look(const OwnedContainer& one) {
    const auto found = run(engine.find(one.id()));
    REQUIRE(found);
    REQUIRE(*found);
    return **found;
  }
  /// Waits for the exit of a container that ends by itself.
  int wait(const OwnedContainer& one) {
    const auto code = run(engine.wait(one.id()));
    if (!code) FAIL(code.error().message);
    return *code;
  }

  const std::string cluster;
  const ImageReference image;
  asio::io_context loop;
  Engine engine;

 private:
  static EngineConfig config() {
    EngineConfig made;
    made.socket = environment("SHOAL_ENGINE_SOCKET");
    return made;
  }
};

TEST_CASE("A probe tells which engine it is") {
  RealBench bench;
  const auto info = bench.run(bench.engine.probe());
  REQUIRE(info);
  CHECK(to_string(info->kind) == environment("SHOAL_ENGINE_KIND"));
  CHECK(info->api_version == "1.41");
  CHECK_FALSE(info->version.empty());
  CHECK_FALSE(info->insecure_registries.empty());
}

TEST_CASE("A pull brings an image, also the second time, and its figure only grows") {
  RealBench bench;
  REQUIRE(bench.run(bench.engine.remove_image(bench.image)));
  CHECK_FALSE(*bench.run(bench.engine.find_image(bench.image)));
  double share = 0;
  const auto sink = [&](const PullState& state) {
    CHECK(state.share >= share);
    share = state.share;
  };
  const auto pulled = bench.run(bench.engine.pull({bench.image}, sink));
  if (!pulled) FAIL(pulled.error().message);
  CHECK(share == 1);
  REQUIRE(*bench.run(bench.engine.find_image(bench.image)));
  share = 0;
  CHECK(bench.run(bench.engine.pull({bench.image}, sink)));
  CHECK(share == 1);
  const ImageReference other{bench.image.port, *Repository::parse("app/other"), bench.image.digest};
  CHECK_FALSE(*bench.run(bench.engine.find_image(other)));
}

TEST_CASE("A pull of an image that does not exist says so") {
  RealBench bench;
  const ImageReference none{bench.image.port, bench.image.repository, Digest::of("no such image")};
  const auto pulled = bench.run(bench.engine.pull({none}, {}));
  REQUIRE_FALSE(pulled);
  CHECK(pulled.error().message.find("manifest unknown") != std::string::npos);
}

TEST_CASE("A pull from a registry that is away says so") {
  RealBench bench;
  const ImageReference away{free_port(), bench.image.repository, bench.image.digest};
  const auto pulled = bench.run(bench.engine.pull({away}, {}));
  REQUIRE_FALSE(pulled);
  CHECK(pulled.error().message.find("refused") != std::string::npos);
}

TEST_CASE("A container lives from create to remove, each step done twice") {
  RealBench bench;
  bench.pull();
  const auto wanted = bench.slot("web", kForever);
  const auto made = bench.create(wanted);
  CHECK(bench.look(made).phase == ContainerPhase::created);
  CHECK(SlotLabels::parse(bench.look(made).labels) == wanted.labels(bench.cluster));
  // The same again is the same container.
  CHECK(bench.create(wanted).id() == made.id());
  for (int i = 0; i < 2; ++i) REQUIRE(bench.run(bench.engine.start(made)));
  CHECK(bench.look(made).phase == ContainerPhase::running);
  CHECK(bench.run(bench.engine.list("shoal.owner=" + bench.cluster))->size() == 1);
  CHECK(bench.run(bench.engine.remove(made)).error().code == Errc::conflict);
  CHECK(bench.run(bench.engine.remove_image(bench.image)).error().code == Errc::conflict);
  for (int i = 0; i < 2; ++i) REQUIRE(bench.run(bench.engine.rename(made, wanted.slot + "-next")));
  CHECK(bench.look(made).name == wanted.slot + "-next");
  for (int i = 0; i < 2; ++i) REQUIRE(bench.run(bench.engine.stop(made, seconds(5))));
  CHECK(bench.look(made).phase == ContainerPhase::exited);
  CHECK(bench.look(made).exit_code == 7);
  CHECK(bench.run(bench.engine.kill(made, "KILL")));
  CHECK(bench.wait(made) == 7);
  for (int i = 0; i < 2; ++i) REQUIRE(bench.run(bench.engine.remove(made)));
  CHECK_FALSE(*bench.run(bench.engine.find(made.id())));
  CHECK(bench.run(bench.engine.start(made)).error().code == Errc::name_unknown);
}

TEST_CASE("A container that ignores its signal is killed after its grace") {
  RealBench bench;
  bench.pull();
  const auto made = bench.start(bench.slot("deaf", "trap '' TERM; while :; do sleep 0.05; done"));
  REQUIRE(bench.run(bench.engine.stop(made, seconds(1))));
  CHECK(bench.look(made).exit_code == 137);
}

TEST_CASE("A wait ends with the exit code of a container that is killed") {
  RealBench bench;
  bench.pull();
  const auto made = bench.start(bench.slot("web", kForever, 1, R"("restart":"no")"));
  std::optional<Result<int>> code;
  asio::co_spawn(bench.loop, bench.engine.wait(made.id()),
                 [&](const std::exception_ptr&, Result<int> value) { code = std::move(value); });
  REQUIRE(bench.run(bench.engine.kill(made, "KILL")));
  while (!code) bench.loop.run_one();
  CHECK(*code == 137);
}

TEST_CASE("A container that never ran can be stopped, and started then") {
  RealBench bench;
  bench.pull();
  const auto made = bench.create(bench.slot("web", kForever));
  CHECK(bench.run(bench.engine.stop(made, seconds(1))));
  CHECK(bench.run(bench.engine.start(made)));
  CHECK(bench.look(made).active());
}

TEST_CASE("Names that are taken, missing images and missing commands are told apart") {
  RealBench bench;
  bench.pull();
  const auto wanted = bench.slot("web", kForever);
  const auto made = bench.create(wanted);
  auto other = wanted;
  other.generation = 2;
  const auto taken =
      bench.run(bench.engine.create(wanted.slot, other.document, other.labels(bench.cluster)));
  REQUIRE_FALSE(taken);
  CHECK(taken.error().code == Errc::conflict);
  CHECK(taken.error().message.find(made.id().substr(0, 12)) != std::string::npos);

  const auto second = bench.create(bench.slot("other", kForever));
  CHECK(bench.run(bench.engine.rename(second, wanted.slot)).error().code == Errc::conflict);

  auto missing = bench.slot("missing", kForever);
  const ImageReference none{bench.image.port, bench.image.repository, Digest::of("none")};
  const auto at = missing.document.find(bench.image.text());
  missing.document.replace(at, bench.image.text().size(), none.text());
  const auto created =
      bench.run(bench.engine.create(missing.slot, missing.document, missing.labels(bench.cluster)));
  CHECK(created.error().code == Errc::manifest_unknown);

  const auto broken = bench.create(bench.slot("broken", "true", 1, R"("workdir":"/busybox/file")"));
  static_cast<void>(broken);
  auto wrong = bench.slot("wrong", "true");
  const auto shell = wrong.document.find(R"("sh")");
  wrong.document.replace(shell, 4, R"("/no/such/program")");
  const auto unstartable = bench.create(wrong);
  const auto started = bench.run(bench.engine.start(unstartable));
  REQUIRE_FALSE(started);
  CHECK(started.error().message.find("/no/such/program") != std::string::npos);
}

TEST_CASE("An exec gives exit code and output, and is late after its time") {
  RealBench bench;
  bench.pull();
  const auto made = bench.start(bench.slot("web", kForever));
  const auto good = bench.run(
      bench.engine.exec(made, {"sh", "-c", "echo out; echo err >&2; exit 3"}, seconds(20)));
  if (!good) FAIL(good.error().message);
  CHECK(good->exit_code == 3);
  CHECK(good->output.find("out\n") != std::string::npos);
  CHECK(good->output.find("err\n") != std::string::npos);
  const auto none = bench.run(bench.engine.exec(made, {"/no/such/program"}, seconds(20)));
  if (none) CHECK(none->exit_code != 0);
  CHECK(bench.run(bench.engine.exec(made, {"sleep", "5"}, milliseconds(300))).error().code ==
        Errc::timed_out);
  REQUIRE(bench.run(bench.engine.stop(made, seconds(0))));
  CHECK_FALSE(bench.run(bench.engine.exec(made, {"true"}, seconds(20))));
}

TEST_CASE("A log is read in parts and followed to its end, each line once") {
  RealBench bench;
  bench.pull();
  const auto made = bench.start(bench.slot(
      "web", "for i in 1 2 3 4 5 6 7 8 9; do echo $i; sleep 0.2; done; echo end >&2; sleep 0.2", 1,
      R"("restart":"no")"));
  std::vector<std::string> got;
  LogCursor cursor;
  const LogSink sink = [&](const LogEntry& entry, const LogCursor& at) {
    got.emplace_back(entry.text);
    if (entry.text == "end") CHECK(entry.stream == LogStream::error);
    cursor = at;
  };
  // In parts while it writes; a reader that is started anew each time.
  while (got.size() < 4) {
    LogOrder order{made.id(), *LogCursor::parse(cursor.text())};
    REQUIRE(bench.run(read_log(bench.engine, order, sink)));
  }
  // And followed.
  const auto ended = bench.run(read_log(bench.engine, {made.id(), cursor, true}, sink));
  if (!ended) FAIL(ended.error().message);
  CHECK(got == std::vector<std::string>{"1", "2", "3", "4", "5", "6", "7", "8", "9", "end"});
  CHECK(bench.run(read_log(bench.engine, {made.id(), *ended}, sink)) == *ended);
  CHECK(got.size() == 10);
}

TEST_CASE("A log of a container with a terminal has its lines") {
  RealBench bench;
  bench.pull();
  const auto made =
      bench.start(bench.slot("web", "echo one; echo two >&2", 1, R"("restart":"no","tty":true)"));
  CHECK(bench.wait(made) == 0);
  std::vector<std::string> got;
  const LogSink sink = [&](const LogEntry& entry, const LogCursor&) {
    got.emplace_back(entry.text);
  };
  REQUIRE(bench.run(read_log(bench.engine, {made.id()}, sink)));
  CHECK(got == std::vector<std::string>{"one", "two"});
}

asio::awaitable<bool> watched(Engine& engine, EventSink sink, Interrupt& interrupt) {
  co_await watch_events(engine, std::move(sink), interrupt);
  co_return true;
}

TEST_CASE("Events tell of a container from its start to its end") {
  RealBench bench;
  bench.pull();
  Interrupt interrupt;
  std::vector<EngineEvent::Kind> kinds;
  bool connected = false;
  const EventSink sink = [&](const std::optional<EngineEvent>& event) {
    connected = true;
    if (!event) return;
    const auto owner = event->labels.find(kOwnerLabel);
    if (owner == event->labels.end() || owner->second != bench.cluster) return;
    kinds.push_back(event->kind);
    if (event->kind == EngineEvent::Kind::removed) interrupt.raise();
  };
  bool ended = false;
  asio::co_spawn(bench.loop, watched(bench.engine, sink, interrupt),
                 [&](const std::exception_ptr&, bool) { ended = true; });
  bench.loop.restart();
  while (!connected) bench.loop.run_one();
  const auto made = bench.start(bench.slot("web", kForever));
  REQUIRE(bench.run(bench.engine.stop(made, seconds(5))));
  REQUIRE(bench.run(bench.engine.remove(made)));
  bench.loop.restart();
  while (!ended) bench.loop.run_one();
  using Kind = EngineEvent::Kind;
  for (const auto kind : {Kind::created, Kind::started, Kind::died, Kind::removed}) {
    CHECK(std::count(kinds.begin(), kinds.end(), kind) > 0);
  }
}

TEST_CASE("Health checks see what is well and what is not") {
  RealBench bench;
  bench.pull();
  const auto port = free_port();
  const auto made = bench.start(bench.slot(
      "web",
      fmt::format("mkdir -p /www; echo well > /www/ready; exec httpd -f -p 127.0.0.1:{} -h /www",
                  port)));
  CccfHealthCheck check{CccfHealthCheck::Kind::http, port, "/ready", {}};
  const auto probe = [&] {
    const auto address = health_address(bench.look(made), {}, port);
    return bench.run(probe_health(bench.engine, made, check, address));
  };
  const auto deadline = std::chrono::steady_clock::now() + seconds(20);
  while (!probe() && std::chrono::steady_clock::now() < deadline) continue;
  CHECK(probe());
  check.path = "/missing";
  CHECK(probe().error().message.find("404") != std::string::npos);
  check.kind = CccfHealthCheck::Kind::tcp;
  CHECK(probe());
  check.kind = CccfHealthCheck::Kind::exec;
  check.command = {"test", "-e", "/www/ready"};
  CHECK(probe());
  check.command = {"test", "-e", "/www/missing"};
  CHECK_FALSE(probe());
  REQUIRE(bench.run(bench.engine.stop(made, seconds(0))));
  check.kind = CccfHealthCheck::Kind::tcp;
  CHECK(probe().error().code == Errc::unavailable);
}

TEST_CASE("What a service says reaches its container") {
  RealBench bench;
  bench.pull();
  const auto wanted = bench.slot(
      "web",
      "echo $A $0; id -u; pwd; hostname; cat /proc/self/limits | grep open; "
      "cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes",
      1,
      R"("restart":"no","env":["A=x y"],"user":"7","workdir":"/tmp","memory":"64MB","cpu":512,)"
      R"("dns":["192.0.2.1"],"labels":{"tier":"front"},)"
      R"("ulimit":["nofile=1000:1000","nproc=900:900"],)"
      R"("ports":["18080:80"],"cap-drop":["CHOWN"],"log-driver":"json-file",)"
      R"("log-opt":["max-size=1m"],"tmpfs":["/scratch"],"volumes":["/usr/share:/data:ro"],)"
      R"("health-cmd":"true","health-interval":"30s","stop-signal":"INT","read-only":true)");
  const auto made = bench.start(wanted);
  static_cast<void>(bench.wait(made));
  std::string output;
  const LogSink sink = [&](const LogEntry& entry, const LogCursor&) {
    output += std::string(entry.text) + "\n";
  };
  REQUIRE(bench.run(read_log(bench.engine, {made.id()}, sink)));
  CAPTURE(output);
  CHECK(output.find("x y") != std::string::npos);
  CHECK(output.find("\n7\n") != std::string::npos);
  CHECK(output.find("/tmp\n") != std::string::npos);
  CHECK(output.find(" 1000 ") != std::string::npos);
  CHECK(output.find("67108864\n") != std::string::npos);
  CHECK(bench.look(made).labels.at("tier") == "front");
}

TEST_CASE("A rollout waits for its gate, and leaves what is foreign alone") {
  RealBench bench;
  Reconciler reconciler(bench.engine, {});
  const auto settle = [&](const WantedSlot& slot) {
    const auto report = bench.run(reconciler.settle({bench.cluster, 100, {slot}}));
    if (!report) FAIL(report.error().message);
    for (const auto& done : report->done) {
      if (done.error) FAIL_CHECK(to_string(done.step.kind) << ": " << done.error->message);
    }
    return report->settled();
  };
  REQUIRE(bench.run(bench.engine.remove_image(bench.image)));
  const auto old = bench.slot("web", kForever);
  CHECK(settle(old));
  const auto first = **bench.run(bench.engine.find(old.slot));
  CHECK(first.phase == ContainerPhase::running);

  auto next = bench.slot("web", kForever, 2, R"("env":["VERSION=2"])");
  CHECK_FALSE(settle(next));
  CHECK((*bench.run(bench.engine.find(first.id)))->phase == ContainerPhase::running);
  const auto ready = **bench.run(bench.engine.find(next.slot + "-next"));
  CHECK(ready.phase == ContainerPhase::created);

  next.take_over = true;
  CHECK(settle(next));
  CHECK_FALSE(*bench.run(bench.engine.find(first.id)));
  const auto second = **bench.run(bench.engine.find(next.slot));
  CHECK(second.id == ready.id);
  CHECK(second.phase == ContainerPhase::running);
  CHECK(settle(next));

  // Another cluster's look at the same engine sees nothing, and takes nothing away.
  Reconciler stranger(bench.engine, {8, 2, Sweep::remove, seconds(0)});
  CHECK(bench.run(stranger.settle({bench.cluster + "x", 100, {}}))->done.empty());
  CHECK((*bench.run(bench.engine.find(second.id)))->phase == ContainerPhase::running);

  next.run = false;
  CHECK(settle(next));
  CHECK(bench.run(bench.engine.list("shoal.owner=" + bench.cluster))->empty());
}

asio::awaitable<bool> run_to_end(HostRunner& runner, Interrupt& interrupt) {
  co_await runner.run(interrupt);
  co_return true;
}

TEST_CASE("A runner starts again what was killed") {
  RealBench bench;
  auto web = bench.slot("web", kForever, 1, R"("restart":"no")");
  web.restart = WantedSlot::Restart::always;  // Of ours alone: the engine's would be faster.
  web.health.emplace();
  web.health->kind = CccfHealthCheck::Kind::exec;
  web.health->command = {"true"};
  Interrupt interrupt;
  int settled = 0;
  std::optional<EngineTime> first;
  bool killed = false;
  HostRunner runner(bench.engine, {}, [&](const Result<Reconciler::Report>& report) {
    if (!report) FAIL_CHECK(report.error().message);
    if (report && report->settled()) ++settled;
    if (settled == 2) interrupt.raise();
    if (settled != 1 || std::exchange(killed, true)) return;
    const auto& owned = report->seen.containers.at(0).owned;
    asio::co_spawn(bench.loop, bench.engine.kill(owned, "KILL"),
                   [](const std::exception_ptr&, const Result<void>& done) { CHECK(done); });
  });
  runner.order({bench.cluster, 100, {web}});
  CHECK(bench.run(run_to_end(runner, interrupt)));
  CHECK(bench.run(bench.engine.find(web.slot))->value().phase == ContainerPhase::running);
}

}  // namespace
}  // namespace shoal

// Logs and events, which last as long as a container or an engine.

#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <catch2/catch.hpp>

#include "orchestrator/engine/engine_events.h"
#include "orchestrator/engine/engine_logs.h"
#include "tests/orchestrator/engine/engine_bench.h"

namespace shoal {
namespace {

using Fault = FakeEngine::Fault;
using std::chrono::milliseconds;

EngineKind either() { return GENERATE(EngineKind::docker, EngineKind::podman); }

/// As the engine writes it: podman to the second.
std::string stamped(EngineKind kind, int number, const std::string& text) {
  const auto second = 10 + number / 3;
  if (kind == EngineKind::podman) return fmt::format("2026-11-27T12:00:{}Z {}\n", second, text);
  return fmt::format("2026-11-27T12:00:{}.{:09}Z {}\n", second, number, text);
}

struct LogBench : EngineBench {
  explicit LogBench(EngineKind kind, EngineConfig config = {})
      : EngineBench(kind, std::move(config)) {
    static_cast<void>(owned(slot_of("web", 1), ContainerPhase::running));
  }
  void write(int from, int to) {
    for (int i = from; i < to; ++i) {
      fake.log("web", 1 + i % 2, stamped(fake.kind(), i, std::to_string(i)));
      written.push_back(std::to_string(i));
    }
  }
  LogSink sink() {
    return [this](const LogEntry& entry, const LogCursor&) { got.emplace_back(entry.text); };
  }
  std::vector<std::string> written;
  std::vector<std::string> got;
};

TEST_CASE("A log is read from its start, and again only from where it was read to", "[engine]") {
  LogBench bench(either());
  bench.write(0, 10);
  auto cursor = bench.run(read_log(bench.engine, {"web"}, bench.sink()));
  REQUIRE(cursor);
  CHECK(bench.got == bench.written);
  bench.write(10, 14);
  // The cursor is kept as text meanwhile.
  cursor = LogCursor::parse(cursor->text());
  cursor = bench.run(read_log(bench.engine, {"web", *cursor}, bench.sink()));
  REQUIRE(cursor);
  CHECK(bench.got == bench.written);
  CHECK(bench.run(read_log(bench.engine, {"web", *cursor}, bench.sink())) == *cursor);
  CHECK(bench.got == bench.written);
}

TEST_CASE("A log that is torn in mid-entry gives what was whole, and the rest the next time",
          "[engine]") {
  LogBench bench(either());
  bench.write(0, 9);
  LogCursor cursor;
  LogSink sink = [&](const LogEntry& entry, const LogCursor& at) {
    bench.got.emplace_back(entry.text);
    cursor = at;
  };
  for (std::size_t bytes = 1; bytes < 300; bytes += 37) {
    Fault torn{"/logs", Fault::Kind::tear};
    torn.bytes = bytes;
    bench.fake.script(torn);
    CHECK_FALSE(bench.run(read_log(bench.engine, {"web", cursor}, sink)));
  }
  CHECK(bench.run(read_log(bench.engine, {"web", cursor}, sink)));
  CHECK(bench.got == bench.written);
}

TEST_CASE("A followed log goes on over broken and silent streams until the container ends",
          "[engine]") {
  EngineConfig config;
  config.stream_silence = milliseconds(100);
  LogBench bench(either(), config);
  bench.write(0, 5);
  Fault torn{"/logs", Fault::Kind::tear};
  bench.fake.script(torn);
  LogSink sink = [&](const LogEntry& entry, const LogCursor&) {
    bench.got.emplace_back(entry.text);
    if (bench.got.size() == 5) bench.write(5, 9);
    if (bench.got.size() == 9) bench.fake.end("web", 0);
  };
  const auto cursor = bench.run(read_log(bench.engine, {"web", {}, true}, sink));
  REQUIRE(cursor);
  CHECK(bench.got == bench.written);
}

TEST_CASE("The log of a container that is not there is an error, one that is interrupted too",
          "[engine]") {
  LogBench bench(either());
  CHECK(bench.run(read_log(bench.engine, {"none"}, bench.sink())).error().code ==
        Errc::name_unknown);
  Interrupt interrupt;
  asio::steady_timer timer(bench.loop, milliseconds(30));
  timer.async_wait([&](const auto&) { interrupt.raise(); });
  CHECK(
      bench.run(read_log(bench.engine, {"web", {}, true}, bench.sink(), &interrupt)).error().code ==
      Errc::unavailable);
}

std::string event(const std::string& action, int second) {
  return fmt::format(R"({{"Type":"container","Action":"{}","Actor":{{"ID":"a","Attributes":)"
                     R"({{"shoal.slot":"web"}}}},"time":{}}})",
                     action, 1'795'781'000 + second);
}

asio::awaitable<bool> watched(Engine& engine, EventSink sink, Interrupt& interrupt) {
  co_await watch_events(engine, std::move(sink), interrupt);
  co_return true;
}

TEST_CASE("Events are hints: noise is left out, and a broken stream says that some may be missing",
          "[engine]") {
  EngineBench bench(either());
  bench.fake.event(event("exec_create: sh", 1));
  bench.fake.event(event("start", 2));
  bench.fake.event(event("die", 3));
  Interrupt interrupt;
  std::vector<std::string> heard;
  const EventSink sink = [&](const std::optional<EngineEvent>& one) {
    heard.push_back(one ? std::to_string(static_cast<int>(one->kind)) : "missed");
    const bool first = bench.fake.count("GET /events") == 1;
    if (first && heard.size() == 3) bench.fake.break_connections();
    if (!first && heard.size() >= 6) interrupt.raise();
  };
  CHECK(bench.run(watched(bench.engine, sink, interrupt)));
  using Kind = EngineEvent::Kind;
  const auto started = std::to_string(static_cast<int>(Kind::started));
  const auto died = std::to_string(static_cast<int>(Kind::died));
  CHECK(heard == std::vector<std::string>{"missed", started, died, "missed", started, died});
  CHECK(bench.fake.count("GET /events?since=1795781003") == 1);
}

TEST_CASE("A stream of events that is silent is opened anew", "[engine]") {
  EngineConfig config;
  config.stream_silence = milliseconds(30);
  EngineBench bench(either(), config);
  Interrupt interrupt;
  int opened = 0;
  const EventSink sink = [&](const std::optional<EngineEvent>& one) {
    if (!one && ++opened == 3) interrupt.raise();
  };
  CHECK(bench.run(watched(bench.engine, sink, interrupt)));
  CHECK(opened == 3);
}

}  // namespace
}  // namespace shoal

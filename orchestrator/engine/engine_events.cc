#include "orchestrator/engine/engine_events.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include <fmt/format.h>

#include "orchestrator/engine/engine_json.h"
#include "orchestrator/engine/line_splitter.h"

namespace shoal {
namespace {

constexpr std::size_t kLineBytesMax = 1 << 20;
constexpr std::chrono::seconds kRetryMin{1};
constexpr std::chrono::seconds kRetryMax{30};

asio::awaitable<Result<void>> read_events(Engine& engine, const EventSink& sink,
                                          std::int64_t& since, Interrupt& interrupt) {
  // Filtered here: podman wants `died` where Docker wants `die` (podman issue 16857), and an error
  // in a filter is a silent stream.
  Engine::Call call{"GET", since > 0 ? fmt::format("/events?since={}", since) : "/events"};
  call.patience = engine.config().stream_silence;
  call.interrupt = &interrupt;
  const auto stream = co_await engine.open(std::move(call));
  if (!stream) co_return tl::unexpected(stream.error());
  sink(std::nullopt);
  LineSplitter lines(kLineBytesMax);
  const auto take = [&](std::string_view line) {
    const auto event = parse_event(line);
    if (!event || event->kind == EngineEvent::Kind::other) return;
    since = std::max(since, event->time.seconds);
    sink(event);
  };
  for (;;) {
    const auto piece = co_await (*stream)->read();
    if (!piece) co_return tl::unexpected(piece.error());
    if (piece->empty()) break;
    lines.add(*piece, take);
  }
  co_return fail(Errc::io, "the engine ended the stream of its events");
}

}  // namespace

asio::awaitable<void> watch_events(Engine& engine, EventSink sink, Interrupt& interrupt) {
  std::chrono::seconds retry = kRetryMin;
  std::int64_t since = 0;
  while (!interrupt.raised()) {
    const auto before = since;
    const auto read = co_await read_events(engine, sink, since, interrupt);
    if (since != before) retry = kRetryMin;
    if (!read && read.error().code == Errc::timed_out) continue;  // Merely quiet.
    const bool slept = co_await interrupt.sleep(engine.executor(), retry);
    if (!slept) co_return;
    retry = std::min(retry * 2, kRetryMax);
  }
}

}  // namespace shoal

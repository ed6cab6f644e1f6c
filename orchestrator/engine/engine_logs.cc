#include "orchestrator/engine/engine_logs.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include <fmt/format.h>

#include "orchestrator/engine/line_splitter.h"

namespace shoal {
namespace {

constexpr std::size_t kLineBytesMax = 1 << 20;
constexpr std::chrono::seconds kRetryMin{1};
constexpr std::chrono::seconds kRetryMax{30};

/// Reads the entries out of one stream, from the cursor on.
class LogReader {
 public:
  LogReader(const LogCursor& from, bool terminal, const LogSink& sink)
      : resume_(from), terminal_(terminal), sink_(sink) {}

  [[nodiscard]] Result<void> add(std::string_view bytes) {
    if (terminal_) {
      lines_.add(bytes, [this](std::string_view line) { take(LogStream::out, line); });
      return {};
    }
    return frames_.add(bytes, [this](LogStream stream, std::string_view text) {
      if (text.ends_with('\n')) text.remove_suffix(1);
      take(stream, text);
    });
  }
  void finish() {
    lines_.finish([this](std::string_view line) { take(LogStream::out, line); });
  }
  [[nodiscard]] const LogCursor& cursor() const { return resume_.cursor(); }

 private:
  /// `2026-11-27T12:17:26.762371924Z what was written`.
  void take(LogStream stream, std::string_view line) {
    const auto blank = std::min(line.find(' '), line.size());
    const auto time = parse_engine_time(line.substr(0, blank));
    // Podman gives the rest of a long line without a time; it belongs to what came before.
    if (!time) {
      if (taken_) sink_({stream, resume_.cursor().time, line}, resume_.cursor());
      return;
    }
    taken_ = resume_.take(*time);
    if (!taken_) return;
    line.remove_prefix(std::min(blank + 1, line.size()));
    sink_({stream, *time, line}, resume_.cursor());
  }

  LogResume resume_;
  const bool terminal_;
  const LogSink& sink_;
  LogFrames frames_;
  LineSplitter lines_{kLineBytesMax};
  bool taken_ = false;  // The last entry with a time.
};

asio::awaitable<Result<void>> read_stream(Engine& engine, const LogOrder& order, LogReader& reader,
                                          Interrupt* interrupt) {
  // Whole seconds: Docker also takes nanoseconds, podman rounds them through a double. What comes
  // again is left out here.
  const auto path =
      fmt::format("/containers/{}/logs?stdout=1&stderr=1&timestamps=1&follow={}{}",
                  percent_encode(order.container), order.follow ? 1 : 0,
                  order.from.time.seconds > 0 ? fmt::format("&since={}", order.from.time.seconds)
                                              : std::string());
  Engine::Call call{"GET", path};
  call.patience = engine.config().stream_silence;
  call.interrupt = interrupt;
  const auto stream = co_await engine.open(std::move(call));
  if (!stream) co_return tl::unexpected(stream.error());
  for (;;) {
    const auto piece = co_await (*stream)->read();
    if (!piece) co_return tl::unexpected(piece.error());
    if (piece->empty()) break;
    if (auto added = reader.add(*piece); !added) co_return added;
  }
  reader.finish();
  co_return Result<void>();
}

}  // namespace

asio::awaitable<Result<LogCursor>> read_log(Engine& engine, LogOrder order, LogSink sink,
                                            Interrupt* interrupt) {
  Interrupt unused;
  Interrupt& ended = interrupt ? *interrupt : unused;
  std::chrono::seconds retry = kRetryMin;
  for (;;) {
    const auto container = co_await engine.find(order.container);
    if (!container && !order.follow) co_return tl::unexpected(container.error());
    if (container && !*container) {
      co_return fail(Errc::name_unknown, fmt::format("there is no container {}", order.container));
    }
    const bool active = container && (*container)->active();
    Result<void> read;
    const LogCursor before = order.from;
    if (container) {
      LogReader reader(order.from, (*container)->terminal, sink);
      read = co_await read_stream(engine, order, reader, interrupt);
      order.from = reader.cursor();
    } else {
      read = tl::unexpected(container.error());
    }
    if (!order.follow && !read) co_return tl::unexpected(read.error());
    // The stream of one that ran may have ended before what it last wrote: one more look.
    if (read && !active) co_return order.from;
    if (!order.follow) co_return order.from;
    if (order.from != before) retry = kRetryMin;
    if (!read && read.error().code != Errc::timed_out) {
      const bool slept = co_await ended.sleep(engine.executor(), retry);
      if (!slept) co_return tl::unexpected(read.error());
      retry = std::min(retry * 2, kRetryMax);
    }
  }
}

}  // namespace shoal

#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "orchestrator/engine/engine.h"
#include "orchestrator/engine/log_cursor.h"
#include "orchestrator/engine/log_frames.h"

namespace shoal {

/// What a container wrote: one line, as a rule (Docker cuts those beyond 16 KiB).
struct LogEntry {
  LogStream stream;  // `out` for all that a container with a terminal writes.
  EngineTime time;
  std::string_view text;  // Without the line's end. Valid during the call.
};

struct LogOrder {
  std::string container;  // Id or name.
  LogCursor from{};       // Entries up to it are left out; a default one: none is.
  bool follow = false;    // Goes on until the container ends.
};

/// Hands out the entries of a container's log in the order of the engine, each once, and gives the
/// cursor behind the last of them, from which another call goes on. With `follow` a stream that
/// breaks or falls silent is opened again at its cursor, for as long as the container is there.
/// `sink` is called on the engine's executor, with the cursor behind the entry: to be kept once the
/// entry is.
///
/// Fails with name_unknown (no such container) and as Engine does; what was handed out stays so.
using LogSink = std::function<void(const LogEntry& entry, const LogCursor& cursor)>;
[[nodiscard]] asio::awaitable<Result<LogCursor>> read_log(Engine& engine, LogOrder order,
                                                          LogSink sink,
                                                          Interrupt* interrupt = nullptr);

}  // namespace shoal

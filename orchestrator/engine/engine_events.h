#pragma once

#include <functional>
#include <optional>

#include "orchestrator/engine/engine.h"

namespace shoal {

/// Follows what happens to containers, until `interrupt` is raised. Events are only a hint to look:
/// `sink` gets one for a change in a container's life (not for what each health check makes), and
/// nothing whenever some may have been missed: at the start, and after the stream broke or was
/// opened anew. Reconnects after 1 s, doubling to 30 s. `sink` is called on the engine's executor.
using EventSink = std::function<void(const std::optional<EngineEvent>& event)>;
[[nodiscard]] asio::awaitable<void> watch_events(Engine& engine, EventSink sink,
                                                 Interrupt& interrupt);

}  // namespace shoal

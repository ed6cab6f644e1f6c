#pragma once

#include <vector>

#include <boost/asio/awaitable.hpp>

#include "orchestrator/cccf/service.h"
#include "orchestrator/engine/engine.h"

namespace shoal {

/// Where a port of a container is reached from its host: at the host's port that is published for
/// it, else at the container's own address, else (it has the host's network) on loopback.
[[nodiscard]] StreamAddress health_address(const Container& container,
                                           const std::vector<CccfPort>& published,
                                           std::uint16_t port);

/// Asks once: http wants a status from 200 to 399, tcp a connection, exec an exit code of 0. Fails
/// with the reason, timed_out if it takes longer than the check allows. `container` is what inspect
/// told last. On the engine's executor; `interrupt` may be null.
[[nodiscard]] asio::awaitable<Result<void>> probe_health(Engine& engine, OwnedContainer container,
                                                         CccfHealthCheck check,
                                                         StreamAddress address,
                                                         Interrupt* interrupt = nullptr);

}  // namespace shoal

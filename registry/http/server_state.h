#pragma once

#include "registry/http/gate.h"
#include "registry/http/metrics.h"
#include "registry/http/server.h"

namespace shoal {

/// What the loops of a server share.
struct ServerState {
  ServerState(HttpServerConfig its_config, Handler its_handler, prometheus::Registry& registry)
      : config(std::move(its_config)),
        handler(std::move(its_handler)),
        metrics(registry, config.name) {}

  const HttpServerConfig config;
  const Handler handler;  // Called on all loops.
  HttpMetrics metrics;
  Gate sessions;
};

}  // namespace shoal

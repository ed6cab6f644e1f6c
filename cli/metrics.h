#pragma once

#include <string>

#include "orchestrator/cluster_status.h"
#include "storage/store.h"

namespace prometheus {
class Registry;
}

namespace shoal {

/// All metrics in the Prometheus text format 0.0.4: those in `registry`, the store's usage, what is
/// known of the cluster (null: the node stands alone), and the process's memory, CPU time and open
/// files under the names that Prometheus clients agree on.
[[nodiscard]] std::string metrics_text(const prometheus::Registry& registry, const Store& store,
                                       const ClusterStatus* cluster);

}  // namespace shoal

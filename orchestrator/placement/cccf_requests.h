#pragma once

#include <string>
#include <vector>

#include "orchestrator/cccf/document.h"
#include "orchestrator/cccf/service.h"
#include "orchestrator/placement/host_view.h"
#include "orchestrator/placement/request.h"

namespace shoal {

/// What a container of a document asks of its host; docs/placement.md lists the fields. A slot is
/// the item's id; `web` and `web-scale-3` are replicas of the service `web`, unless the field
/// `service` says another. The document is scaled up, with as many items as there are replicas.
/// What cannot be read is an error of the check `field` in `problems`.
[[nodiscard]] std::vector<PlacementRequest> requests_of(const CccfDocument& document,
                                                        CccfDiagnostics& problems);

/// A container that a host has already, described as an item of a document; `state` is what its
/// engine says: all but `running`, `restarting` and `paused` (and none at all) is stopped.
[[nodiscard]] HostContainer container_of(const CccfItem& item, CccfDiagnostics& problems);

}  // namespace shoal

#pragma once

#include <cstdint>
#include <string>

#include "orchestrator/cccf/diagnostic.h"
#include "orchestrator/cccf/document.h"
#include "orchestrator/engine/reconcile_steps.h"

namespace shoal {

/// A slot out of a service: its create document, check, grace and restarts. Order and gate are the
/// rollout's, and stay at their defaults. `problems` gets what view() and create_document() say.
[[nodiscard]] WantedSlot wanted_slot(const CccfItem& item, const ImageReference& image,
                                     const std::string& slot, std::uint64_t generation,
                                     CccfDiagnostics& problems);

}  // namespace shoal

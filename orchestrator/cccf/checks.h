#pragma once

#include "orchestrator/cccf/document.h"

namespace shoal {

/// Adds warnings for what cccf 3.3.0 accepts without a look: see cccf_checks(). Items that are no
/// objects are skipped.
void check_beyond_schema(const CccfDocument& document, CccfDiagnostics& out);

}  // namespace shoal

#pragma once

#include <string>

#include "orchestrator/engine/engine_info.h"

namespace shoal {

/// An answer of a real engine, out of recorded/.
struct RecordedAnswer {
  int status = 0;
  std::string body;
};

/// `name` as record.py calls it.
[[nodiscard]] RecordedAnswer recorded(EngineKind kind, const std::string& name);

}  // namespace shoal

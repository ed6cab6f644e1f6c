#pragma once

#include "registry/http/message.h"

namespace shoal {

/// Marks an answer that is what this node alone knows, because the cluster's names cannot be
/// reached: a warning as RFC 7234, 5.5.1 has it, and a field of our own.
inline void mark_stale(Response& response) {
  response.headers.add("Warning", "110 - \"Response is Stale\"");
  response.headers.add("Shoal-Stale", "true");
}

}  // namespace shoal

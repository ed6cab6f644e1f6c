#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "orchestrator/cccf/document.h"

namespace shoal {

/// A field in which what runs differs from what is wanted. Of lists whose order means nothing (env,
/// ports, volumes ...) only what differs; null where a side has nothing.
struct CccfFieldChange {
  std::string field;  // By its name in the canonical form.
  JsonValue current;
  JsonValue wanted;
};

/// Why a container is to be replaced by another with its id.
struct CccfChange {
  std::string id;
  std::vector<CccfFieldChange> fields;
};

/// What must be done to get from one document to another, as cccf-diff 3.0.2 has it: a container
/// that changed is in `remove` and in `add`, and in `changes` with what changed.
struct CccfDifference {
  std::vector<CccfItem> add;     // Wanted and not there; in the order of what is wanted.
  std::vector<CccfItem> keep;    // Wanted and there, as it is wanted; in the same order.
  std::vector<CccfItem> remove;  // There and not wanted; in the order of what is there.
  std::vector<CccfChange> changes;

  /// {"add":[...],"keep":[...],"remove":[...],"changes":[{"id":"web","fields":[
  ///   {"field":"image","current":"app:1","wanted":"app:2"}]}]}
  [[nodiscard]] JsonValue to_json() const;
};

struct CccfDiffOptions {
  std::vector<std::string> ignore;  // Ids that are left out on both sides, with their instances.
  std::vector<std::string> omit;    // Fields that do not count.
};

/// Both sides are scaled first, so that another scale adds or removes instances and touches no
/// other. Containers are the same if their canonical forms are (orchestrator/cccf/canonical.h).
/// Two alike are two: each is matched with one of the other side.
/// What scale_up() says is wrong goes to `problems`; then the result is of no use.
[[nodiscard]] CccfDifference diff_cccf(const CccfDocument& current, const CccfDocument& wanted,
                                       const CccfDiffOptions& options, CccfDiagnostics& problems);

/// The inverse of to_json(), with `file` for the diagnostics of its items; nothing for JSON that is
/// no difference.
[[nodiscard]] std::optional<CccfDifference> read_difference(const JsonValue& json,
                                                            std::string_view file);

/// The fields in which two containers differ.
[[nodiscard]] std::vector<CccfFieldChange> explain_difference(const JsonValue& current,
                                                              const JsonValue& wanted);

}  // namespace shoal

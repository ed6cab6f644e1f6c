#pragma once

#include <cstddef>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "orchestrator/cccf/diagnostic.h"
#include "orchestrator/cccf/json_value.h"

namespace shoal {

/// One container of a cccf document, field for field as it was read: what nothing here knows rides
/// along. orchestrator/cccf/service.h gives a typed view of it.
struct CccfItem {
  JsonValue fields;  // An object, unless validate_cccf() says otherwise.

  // Where it came from, for diagnostics; not part of the value.
  std::string file;  // As the user named it; empty for standard input.
  std::string
      pointer;  // Of the item inside that file: "" for a lone object, "/0", "/services/web".
  std::set<std::string> inherited;  // Fields that the YAML form's `default` gave it.
  std::string default_pointer;      // Where that is.

  /// The pointer of a field, in the service itself or in the default it comes from.
  [[nodiscard]] std::string pointer_to(std::string_view field) const;
  /// The id without its leading `/`; empty without an id that is text.
  [[nodiscard]] std::string id() const;
};

/// A cccf document (Common Container Configuration Format 3.3.0): one object, or a list of them.
struct CccfDocument {
  std::vector<CccfItem> items;
  bool single = false;  // Came as one object, and is written as one while it has one item.

  /// The document as JSON: an object or an array.
  [[nodiscard]] JsonValue to_json() const;
};

/// Several documents as one list, in their order; `single` stays only for one of them alone.
[[nodiscard]] CccfDocument join(std::vector<CccfDocument> documents);

}  // namespace shoal

#pragma once

#include <string_view>
#include <vector>

#include "orchestrator/cccf/document.h"

namespace shoal {

enum class CccfRules {
  lenient,  // What 3.3.0 accepts, and a bare "/path" as a volume, which its README promises.
  strict,   // Refuses exactly what cccf 3.3.0 refuses.
};

/// Everything that is to be said about a document, in one pass: errors of the check `schema`, then
/// for what cccf 3.3.0 does not look at warnings of the checks that cccf_checks() names; each in
/// the document's order. Never a word twice.
[[nodiscard]] CccfDiagnostics validate_cccf(const CccfDocument& document,
                                            CccfRules rules = CccfRules::lenient);

struct CccfCheck {
  std::string_view name;
  std::string_view meaning;  // One sentence, for people.
};

/// The checks beyond the schema, as docs/cccf.md lists them.
[[nodiscard]] const std::vector<CccfCheck>& cccf_checks();

}  // namespace shoal

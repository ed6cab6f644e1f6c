#pragma once

#include <map>
#include <string>
#include <vector>

#include "orchestrator/cccf/document.h"

namespace shoal {

// `${NAME}` (a letter or _, then letters, digits and _) in any text of a document, at any depth,
// stands for a value that is given later; `$${NAME}` stands for the text `${NAME}` itself. Names of
// fields are not looked at. A document keeps this form through all tools, so that a value which
// looks like a variable is none: only the last tool (instructions, a plan) resolves.

struct VariableUse {
  std::string name;
  std::string pointer;  // Of the text that it stands in.
};

/// The variables of an item, in order; one that a text names twice is there once.
[[nodiscard]] std::vector<VariableUse> variables_in(const CccfItem& item);

using CccfVariables = std::map<std::string, std::string, std::less<>>;

/// The document with the values of `variables` put in, as texts: what looks like a variable inside
/// a value is escaped. Variables that are not given stay.
[[nodiscard]] CccfDocument substitute(CccfDocument document, const CccfVariables& variables);

/// The document without any variable: escapes become what they stand for, and each variable that is
/// left is an error of the check `variable` in `problems`.
[[nodiscard]] CccfDocument resolve(CccfDocument document, CccfDiagnostics& problems);

/// The text with `${NAME}` escaped, as a document has it whose values are final.
[[nodiscard]] std::string escape_variables(std::string_view text);

}  // namespace shoal

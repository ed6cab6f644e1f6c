#pragma once

#include <string>
#include <vector>

namespace shoal {

/// One thing to say about a document. docs/cccf.md lists the checks.
struct CccfDiagnostic {
  enum class Severity {
    error,    // The document cannot be used.
    warning,  // cccf 3.3.0 accepts it; it is probably not what was meant.
  };
  Severity severity = Severity::error;
  std::string check;    // `schema`, `port-clash` ...: stable, for programs.
  std::string file;     // As CccfItem has it.
  std::string pointer;  // JSON pointer (RFC 6901) into that file.
  std::string message;  // What is wrong and, where it helps, what to do.

  bool operator==(const CccfDiagnostic&) const = default;
};

using CccfDiagnostics = std::vector<CccfDiagnostic>;

[[nodiscard]] bool has_errors(const CccfDiagnostics& diagnostics);

/// `app.json: error: /0/ports/1: the port ... (port-range)`.
[[nodiscard]] std::string to_text(const CccfDiagnostic& diagnostic);

}  // namespace shoal

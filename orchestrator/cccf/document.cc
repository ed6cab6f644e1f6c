#include "orchestrator/cccf/document.h"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>

namespace shoal {

std::string CccfItem::pointer_to(std::string_view field) const {
  const bool given = inherited.count(std::string(field)) > 0;
  return (given ? default_pointer : pointer) + pointer_part(field);
}

std::string CccfItem::id() const {
  const std::string* const id = fields.find_text("id");
  if (id == nullptr) return {};
  return id->starts_with('/') ? id->substr(1) : *id;
}

JsonValue CccfDocument::to_json() const {
  if (single && items.size() == 1) return items.front().fields;
  JsonValue::Array array;
  array.reserve(items.size());
  for (const CccfItem& item : items) array.push_back(item.fields);
  return array;
}

CccfDocument join(std::vector<CccfDocument> documents) {
  if (documents.size() == 1) return std::move(documents.front());
  CccfDocument all;
  for (CccfDocument& document : documents) {
    std::move(document.items.begin(), document.items.end(), std::back_inserter(all.items));
  }
  return all;
}

bool has_errors(const CccfDiagnostics& diagnostics) {
  return std::any_of(diagnostics.begin(), diagnostics.end(), [](const CccfDiagnostic& one) {
    return one.severity == CccfDiagnostic::Severity::error;
  });
}

std::string to_text(const CccfDiagnostic& diagnostic) {
  const bool error = diagnostic.severity == CccfDiagnostic::Severity::error;
  return fmt::format("{}{}{}: {}: {} ({})", diagnostic.file, diagnostic.file.empty() ? "" : ": ",
                     error ? "error" : "warning",
                     diagnostic.pointer.empty() ? "the document" : diagnostic.pointer,
                     diagnostic.message, diagnostic.check);
}

}  // namespace shoal

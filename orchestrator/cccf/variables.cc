#include "orchestrator/cccf/variables.h"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

namespace shoal {
namespace {

bool is_name_char(char c, bool first) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         (!first && c >= '0' && c <= '9');
}

/// The NAME of `${NAME}` at the beginning of `text`.
std::optional<std::string_view> name_at(std::string_view text) {
  if (!text.starts_with("${")) return std::nullopt;
  std::size_t end = 2;
  while (end < text.size() && is_name_char(text[end], end == 2)) ++end;
  if (end == 2 || end == text.size() || text[end] != '}') return std::nullopt;
  return text.substr(2, end - 2);
}

/// Goes through a text: `variable` gives what a variable becomes, `escape` what `$${NAME}` does.
template <class Variable, class Escape>
std::string rewrite(std::string_view text, const Variable& variable, const Escape& escape) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    if (text[i] != '$') {
      out += text[i++];
    } else if (const auto escaped =
                   text.substr(i).starts_with("$${") ? name_at(text.substr(i + 1)) : std::nullopt) {
      out += escape(*escaped);
      i += escaped->size() + 4;
    } else if (const auto name = name_at(text.substr(i))) {
      out += variable(*name);
      i += name->size() + 3;
    } else {
      out += text[i++];
    }
  }
  return out;
}

std::string as_variable(std::string_view name) { return fmt::format("${{{}}}", name); }
std::string as_escape(std::string_view name) { return fmt::format("$${{{}}}", name); }

/// Calls `use(text, pointer)` for each text in `value`.
template <class Value, class Use>
void each_text(Value& value, const std::string& pointer, const Use& use) {
  if (auto* const text = value.text()) {
    use(*text, pointer);
  } else if (auto* const array = value.array()) {
    for (std::size_t i = 0; i < array->size(); ++i) {
      each_text((*array)[i], pointer + "/" + std::to_string(i), use);
    }
  } else if (auto* const object = value.object()) {
    for (auto& field : *object) each_text(field.value, pointer + pointer_part(field.name), use);
  }
}

template <class Item, class Use>
void each_text_of(Item& item, const Use& use) {
  auto* const fields = item.fields.object();
  if (fields == nullptr) return;
  for (auto& field : *fields) each_text(field.value, item.pointer_to(field.name), use);
}

}  // namespace

std::vector<VariableUse> variables_in(const CccfItem& item) {
  std::vector<VariableUse> uses;
  each_text_of(item, [&](const std::string& text, const std::string& pointer) {
    const auto note = [&](std::string_view name) {
      const auto is_it = [&](const VariableUse& use) {
        return use.name == name && use.pointer == pointer;
      };
      if (std::none_of(uses.begin(), uses.end(), is_it)) {
        uses.push_back({std::string(name), pointer});
      }
      return std::string();
    };
    static_cast<void>(rewrite(text, note, as_escape));
  });
  return uses;
}

CccfDocument substitute(CccfDocument document, const CccfVariables& variables) {
  const auto value_of = [&](std::string_view name) {
    const auto variable = variables.find(name);
    return variable == variables.end() ? as_variable(name) : escape_variables(variable->second);
  };
  for (CccfItem& item : document.items) {
    each_text_of(item, [&](std::string& text, const std::string&) {
      text = rewrite(text, value_of, as_escape);
    });
  }
  return document;
}

CccfDocument resolve(CccfDocument document, CccfDiagnostics& problems) {
  for (CccfItem& item : document.items) {
    for (const VariableUse& use : variables_in(item)) {
      problems.push_back({CccfDiagnostic::Severity::error, "variable", item.file, use.pointer,
                          fmt::format("{} has no value: give one with --var {}=...",
                                      as_variable(use.name), use.name)});
    }
    each_text_of(item, [&](std::string& text, const std::string&) {
      text = rewrite(text, as_variable, as_variable);
    });
  }
  return document;
}

std::string escape_variables(std::string_view text) {
  // `$${X}` in it becomes `$$${X}`: a dollar and an escape, which is read back as it was.
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (name_at(text.substr(i))) out += '$';
    out += text[i];
  }
  return out;
}

}  // namespace shoal

#include "orchestrator/cccf/validate.h"

#include <algorithm>

#include <fmt/format.h>

#include "orchestrator/cccf/checks.h"
#include "orchestrator/cccf/schema.h"

namespace shoal {
namespace {

/// A field that holds a list of texts of one pattern.
struct ListRule {
  std::string_view field;
  bool (*matches)(std::string_view);
  std::string_view wanted;
};

constexpr ListRule kLists[] = {
    {"ports", is_cccf_port, R"("HOST:CONTAINER", with "/tcp" or "/udp" if need be)"},
    {"env", is_cccf_env, R"("NAME=value", the name of letters, digits and _, on one line)"},
    {"volumes", is_cccf_volume, R"("/path/on/host:/path/in/container")"},
    {"expose", is_cccf_expose, R"(a port's number in quotes, "6379")"},
};

std::string_view kind_of(const JsonValue& value) {
  if (value.is_null()) return "null";
  if (value.boolean() != nullptr) return "true or false";
  if (value.number() != nullptr) return "a number";
  if (value.text() != nullptr) return "text";
  return value.array() != nullptr ? "a list" : "an object";
}

/// The beginning of a text that stands in a message.
std::string shortened(const std::string& text) {
  constexpr std::size_t kShown = 60;
  if (text.size() <= kShown) return text;
  std::size_t end = kShown;
  while ((text[end] & 0xC0) == 0x80) --end;  // Not in the middle of a character.
  return text.substr(0, end) + "...";
}

class Schema {
 public:
  Schema(CccfRules rules, CccfDiagnostics& out) : rules_(rules), out_(out) {}

  void check(const CccfItem& item) {
    if (item.fields.object() == nullptr) {
      refuse(item, item.pointer,
             fmt::format("a container is an object, not {}", kind_of(item.fields)));
      return;
    }
    check_text(item, "id", true);
    check_text(item, "image", true);
    check_text(item, "cmd", false);
    for (const ListRule& rule : kLists) check_list(item, rule);
  }

 private:
  void refuse(const CccfItem& item, std::string pointer, std::string message) {
    out_.push_back({CccfDiagnostic::Severity::error, "schema", item.file, std::move(pointer),
                    std::move(message)});
  }

  void check_text(const CccfItem& item, std::string_view field, bool required) {
    const JsonValue* const value = item.fields.find(field);
    if (value == nullptr) {
      if (required) refuse(item, item.pointer_to(field), fmt::format("`{}` is missing", field));
      return;
    }
    const auto* const text = value->text();
    if (text == nullptr) {
      refuse(item, item.pointer_to(field),
             fmt::format("`{}` is text, not {}", field, kind_of(*value)));
    } else if (field == "id" && !is_cccf_id(*text)) {
      refuse(item, item.pointer_to(field),
             fmt::format("the id \"{}\" is not made of letters, digits, _ and - alone",
                         shortened(*text)));
    }
  }

  void check_list(const CccfItem& item, const ListRule& rule) {
    const JsonValue* const value = item.fields.find(rule.field);
    if (value == nullptr) return;
    const std::string pointer = item.pointer_to(rule.field);
    if (value->array() == nullptr) {
      refuse(item, pointer,
             fmt::format("`{}` is a list of texts, not {}", rule.field, kind_of(*value)));
      return;
    }
    for (std::size_t i = 0; i < value->array()->size(); ++i) {
      const JsonValue& element = (*value->array())[i];
      const std::string here = pointer + "/" + std::to_string(i);
      const auto* const text = element.text();
      if (text == nullptr) {
        refuse(item, here, fmt::format("it is {}, not {}", kind_of(element), rule.wanted));
      } else if (!rule.matches(*text) && !allowed(rule, *text)) {
        refuse(item, here, fmt::format("\"{}\" is not {}", shortened(*text), rule.wanted));
      }
    }
  }

  [[nodiscard]] bool allowed(const ListRule& rule, const std::string& text) const {
    return rules_ == CccfRules::lenient && rule.field == "volumes" && is_bare_volume(text);
  }

  CccfRules rules_;
  CccfDiagnostics& out_;
};

}  // namespace

CccfDiagnostics validate_cccf(const CccfDocument& document, CccfRules rules) {
  CccfDiagnostics all;
  Schema schema(rules, all);
  for (const CccfItem& item : document.items) schema.check(item);
  check_beyond_schema(document, all);
  // What a default says is wrong is found once for each service that has it.
  CccfDiagnostics once;
  std::set<std::tuple<std::string, std::string, std::string, std::string>> seen;
  for (CccfDiagnostic& one : all) {
    if (seen.emplace(one.file, one.pointer, one.check, one.message).second) {
      once.push_back(std::move(one));
    }
  }
  return once;
}

}  // namespace shoal

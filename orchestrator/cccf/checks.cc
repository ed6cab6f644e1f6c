#include "orchestrator/cccf/checks.h"

#include <algorithm>
#include <map>
#include <optional>

#include <fmt/format.h>

#include "orchestrator/cccf/schema.h"
#include "orchestrator/cccf/service.h"
#include "orchestrator/cccf/validate.h"
#include "orchestrator/cccf/variables.h"
#include "storage/number.h"

namespace shoal {
namespace {

class Checks {
 public:
  Checks(const CccfDocument& document, CccfDiagnostics& out) : document_(document), out_(out) {}

  void run() {
    for (const CccfItem& item : document_.items) {
      if (!item.id().empty()) ++ids_[item.id()];
    }
    for (const CccfItem& item : document_.items) {
      if (item.fields.object() != nullptr) check(item);
    }
  }

 private:
  void warn(const CccfItem& item, std::string_view check, std::string pointer,
            std::string message) {
    out_.push_back({CccfDiagnostic::Severity::warning, std::string(check), item.file,
                    std::move(pointer), std::move(message)});
  }

  void check(const CccfItem& item) {
    CccfDiagnostics problems;
    const CccfService service = view(item, problems);
    for (CccfDiagnostic& problem : problems) {
      problem.severity = CccfDiagnostic::Severity::warning;
      out_.push_back(std::move(problem));
    }
    check_id(item);
    if (const auto* const image = item.fields.find_text("image"); image != nullptr) {
      if (image->empty()) warn(item, "empty-image", item.pointer_to("image"), "it names no image");
    }
    each_text(item, "ports", [&](const std::string& text, const std::string& pointer) {
      if (is_cccf_port(text)) check_port(item, service.host, text, pointer);
    });
    each_text(item, "expose", [&](const std::string& text, const std::string& pointer) {
      if (is_cccf_expose(text) && !is_port_number(text)) {
        warn(item, "port-range", pointer, text + " is no port: they go from 1 to 65535");
      }
    });
    each_text(item, "volumes", [&](const std::string& text, const std::string& pointer) {
      if (is_bare_volume(text)) {
        warn(item, "bare-volume", pointer,
             fmt::format("write \"{0}:{0}\": cccf 3.3.0 documents \"{0}\" but refuses it", text));
      }
    });
    check_references(item);
    for (const VariableUse& use : variables_in(item)) {
      warn(
          item, "variable", use.pointer,
          fmt::format("${{{0}}} has no value here: give one with --var {0}=..., or write $${{{0}}} "
                      "if the text itself is meant",
                      use.name));
    }
  }

  void check_id(const CccfItem& item) {
    const std::string id = item.id();
    if (id.empty() || ids_[id] < 2) return;
    const auto [first, is_new] = first_.emplace(id, &item);
    if (is_new) return;
    warn(item, "duplicate-id", item.pointer_to("id"),
         fmt::format("\"{}\" is the id of {}{}{}, too", id, first->second->file,
                     first->second->file.empty() ? "" : ":", first->second->pointer));
  }

  static bool is_port_number(const std::string& text) {
    const auto number = parse_number(text);
    return number && *number >= 1 && *number <= 65535;
  }

  void check_port(const CccfItem& item, const std::string& host, const std::string& text,
                  const std::string& pointer) {
    const auto colon = text.find(':');
    const auto slash = std::min(text.find('/'), text.size());
    const std::string outside = text.substr(0, colon);
    const std::string inside = text.substr(colon + 1, slash - colon - 1);
    bool sound = true;
    for (const std::string& number : {outside, inside}) {
      if (is_port_number(number)) continue;
      warn(item, "port-range", pointer, number + " is no port: they go from 1 to 65535");
      sound = false;
    }
    if (!sound) return;
    // Two that are placed on different hosts do not meet; two that are not placed yet may.
    const bool udp = text.ends_with("/udp");
    const std::string port = std::to_string(*parse_number(outside)) + (udp ? "/udp" : "/tcp");
    const auto [first, is_new] = ports_.emplace(std::pair(host, port), &item);
    if (is_new) return;
    warn(item, "port-clash", pointer,
         fmt::format("{} has port {} of the host already{}", first->second->id(), port,
                     host.empty() ? "; they need different hosts" : ", and both are on " + host));
  }

  void check_references(const CccfItem& item) {
    for (const char* const field : {"depends", "links", "volumes-from", "volumes_from"}) {
      each_text(item, field, [&](const std::string& text, const std::string& pointer) {
        std::string id = text.substr(text.starts_with('$') ? 1 : 0);
        id.resize(std::min(id.find(':'), id.size()));
        if (ids_.count(id) > 0) return;
        warn(item, "unresolved-reference", pointer,
             fmt::format("\"{}\" names no container of this document", text));
      });
    }
  }

  template <class Use>
  static void each_text(const CccfItem& item, std::string_view field, const Use& use) {
    const JsonValue* const value = item.fields.find(field);
    if (value == nullptr || value->array() == nullptr) return;
    for (std::size_t i = 0; i < value->array()->size(); ++i) {
      if (const auto* const text = (*value->array())[i].text()) {
        use(*text, item.pointer_to(field) + "/" + std::to_string(i));
      }
    }
  }

  const CccfDocument& document_;
  CccfDiagnostics& out_;
  std::map<std::string, int> ids_;  // How often each is there.
  std::map<std::string, const CccfItem*> first_;
  std::map<std::pair<std::string, std::string>, const CccfItem*> ports_;  // By host and port.
};

}  // namespace

void check_beyond_schema(const CccfDocument& document, CccfDiagnostics& out) {
  Checks(document, out).run();
}

const std::vector<CccfCheck>& cccf_checks() {
  static const std::vector<CccfCheck> kChecks = {
      {"duplicate-id", "Two containers have one id."},
      {"port-clash", "Two containers want one port of a host."},
      {"port-range", "A port outside of 1 to 65535."},
      {"bare-volume", "A volume \"/path\" alone, documented but refused by cccf 3.3.0."},
      {"unresolved-reference", "A link or dependency that names no container of the document."},
      {"empty-image", "An image without a name."},
      {"variable", "A ${NAME} that has no value yet."},
      {"field", "A field of shoal's own (scale, memory, health ...) that cannot be read."},
  };
  return kChecks;
}

}  // namespace shoal

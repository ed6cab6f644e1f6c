#include "orchestrator/cccf/read.h"

#include <fmt/format.h>

#include "orchestrator/cccf/yaml_value.h"

namespace shoal {
namespace {

CccfItem item_at(JsonValue fields, std::string_view file, std::string pointer) {
  CccfItem item;
  item.fields = std::move(fields);
  item.file = file;
  item.pointer = std::move(pointer);
  return item;
}

/// cccf's own form: an object, or a list of them.
CccfDocument plain_document(JsonValue value, std::string_view file) {
  CccfDocument document;
  document.single = value.array() == nullptr;
  if (document.single) {
    document.items.push_back(item_at(std::move(value), file, ""));
    return document;
  }
  JsonValue::Array& values = *value.array();
  for (std::size_t i = 0; i < values.size(); ++i) {
    document.items.push_back(item_at(std::move(values[i]), file, "/" + std::to_string(i)));
  }
  return document;
}

Result<CccfItem> service(const JsonField& entry, const JsonValue* defaults, std::string_view file) {
  static const std::string kServices = "/services";
  CccfItem item = item_at(JsonValue::Object(), file, kServices + pointer_part(entry.name));
  item.default_pointer = kServices + "/default";
  const auto refuse = [&](std::string_view reason) {
    return fail(Errc::bad_request, fmt::format("{}: {}", item.pointer, reason));
  };
  if (!entry.value.is_null() && entry.value.object() == nullptr) {
    return refuse("a service is a map of its fields");
  }
  item.fields.set("id", entry.name);
  static const JsonValue kNone = JsonValue::Object();
  for (const JsonField& field : entry.value.is_null() ? *kNone.object() : *entry.value.object()) {
    if (field.name == "id" && field.value != JsonValue(entry.name)) {
      return refuse("its id is its name in the map; the field `id` says otherwise");
    }
    item.fields.set(field.name, field.value);
  }
  if (defaults == nullptr) return item;
  for (const JsonField& field : *defaults->object()) {
    const JsonValue* const own = item.fields.find(field.name);
    if (own == nullptr) {
      item.fields.set(field.name, field.value);
      item.inherited.insert(field.name);
    } else if (own->is_null()) {
      item.fields.erase(field.name);  // `field: null` says that the default is not wanted.
    }
  }
  return item;
}

Result<CccfDocument> service_map(const JsonValue& services, std::string_view file) {
  CccfDocument document;
  const JsonValue* defaults = services.find("default");
  if (defaults != nullptr && defaults->is_null()) defaults = nullptr;
  if (defaults != nullptr && defaults->object() == nullptr) {
    return fail(Errc::bad_request, "/services/default: it is a map of fields for all services");
  }
  if (defaults != nullptr && count_values(*defaults) * services.object()->size() > kCccfValuesMax) {
    return fail(Errc::too_large, "/services/default: written out for all services it is too large");
  }
  for (const JsonField& entry : *services.object()) {
    if (entry.name == "default") continue;
    auto item = service(entry, defaults, file);
    if (!item) return tl::unexpected(item.error());
    document.items.push_back(*std::move(item));
  }
  return document;
}

Result<CccfDocument> read(std::string_view text, std::string_view file, CccfSyntax syntax) {
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first == text.npos) {
    return fail(Errc::bad_request, "it is empty; a document without containers is []");
  }
  const bool json = syntax == CccfSyntax::json ||
                    (syntax == CccfSyntax::automatic && (text[first] == '[' || text[first] == '{'));
  auto value = json ? parse_json(text) : parse_yaml(text, kCccfValuesMax);
  if (!value) return tl::unexpected(value.error());
  const JsonValue* const services = json ? nullptr : value->find("services");
  if (services == nullptr) return plain_document(*std::move(value), file);
  if (services->object() == nullptr) {
    return fail(Errc::bad_request, "/services: it is a map of services by id");
  }
  return service_map(*services, file);
}

}  // namespace

CccfSyntax syntax_of(std::string_view file) {
  if (file.ends_with(".json")) return CccfSyntax::json;
  if (file.ends_with(".yaml") || file.ends_with(".yml")) return CccfSyntax::yaml;
  return CccfSyntax::automatic;
}

Result<CccfDocument> read_cccf(std::string_view text, std::string_view file, CccfSyntax syntax) {
  if (text.size() > kCccfBytesMax) {
    return fail(Errc::too_large, fmt::format("{}{}larger than {} MiB", file,
                                             file.empty() ? "" : ": ", kCccfBytesMax >> 20));
  }
  auto document = read(text, file, syntax);
  if (!document && !file.empty()) {
    document.error().message = fmt::format("{}: {}", file, document.error().message);
  }
  return document;
}

}  // namespace shoal

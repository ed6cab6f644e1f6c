#include "orchestrator/cccf/diff.h"

#include <algorithm>
#include <map>

#include "orchestrator/cccf/canonical.h"
#include "orchestrator/cccf/docker_flags.h"
#include "orchestrator/cccf/scale.h"

namespace shoal {
namespace {

/// A container of one side, and whether it found its like on the other.
struct Side {
  const CccfItem* item;
  JsonValue fields;  // Without what is omitted.
  bool matched = false;
};

std::vector<Side> side(const CccfDocument& document, const CccfDiffOptions& options) {
  const auto is_ignored = [&](const std::string& id) {
    const auto instance = parse_instance_id(id);
    const auto names_it = [&](const std::string& one) {
      return one == id || (instance && one == instance->base);
    };
    return std::any_of(options.ignore.begin(), options.ignore.end(), names_it);
  };
  std::vector<Side> result;
  for (const CccfItem& item : document.items) {
    if (is_ignored(item.id())) continue;
    Side one{&item, item.fields};
    for (const std::string& field : options.omit) one.fields.erase(field);
    result.push_back(std::move(one));
  }
  return result;
}

/// Whether a field's list is one whose order means nothing.
bool is_set(std::string_view field) {
  const FlagKind kind = docker_flag(field).kind;
  return kind >= FlagKind::set;
}

JsonValue list_or_null(JsonValue::Array values) {
  return values.empty() ? JsonValue() : JsonValue(std::move(values));
}

/// What `from` has and `other` has not.
JsonValue only_in(const JsonValue& from, const JsonValue& other) {
  JsonValue::Array rest;
  for (const JsonValue& value : *from.array()) {
    const auto& others = *other.array();
    if (std::find(others.begin(), others.end(), value) == others.end()) rest.push_back(value);
  }
  return list_or_null(std::move(rest));
}

JsonValue to_json_array(const std::vector<CccfItem>& items) {
  JsonValue::Array array;
  for (const CccfItem& item : items) array.push_back(item.fields);
  return array;
}

}  // namespace

std::vector<CccfFieldChange> explain_difference(const JsonValue& current, const JsonValue& wanted) {
  const JsonValue a = canonical(current);
  const JsonValue b = canonical(wanted);
  static const JsonValue kNone;
  std::map<std::string, std::pair<const JsonValue*, const JsonValue*>> fields;
  const auto note = [&](const JsonValue& form, auto side) {
    if (form.object() == nullptr) return;
    for (const JsonField& field : *form.object()) {
      auto& both = fields.try_emplace(field.name, &kNone, &kNone).first->second;
      both.*side = &field.value;
    }
  };
  using Both = std::pair<const JsonValue*, const JsonValue*>;
  note(a, &Both::first);
  note(b, &Both::second);
  std::vector<CccfFieldChange> changes;
  for (const auto& [name, both] : fields) {
    const auto& [from, to] = both;
    if (*from == *to) continue;
    const bool sets = is_set(name) && from->array() != nullptr && to->array() != nullptr;
    changes.push_back({name, sets ? only_in(*from, *to) : *from, sets ? only_in(*to, *from) : *to});
  }
  return changes;
}

CccfDifference diff_cccf(const CccfDocument& current, const CccfDocument& wanted,
                         const CccfDiffOptions& options, CccfDiagnostics& problems) {
  const CccfDocument now = scale_up(current, problems);
  const CccfDocument then = scale_up(wanted, problems);
  std::vector<Side> here = side(now, options);
  std::vector<Side> there = side(then, options);

  std::multimap<std::string, Side*> unmatched;
  for (Side& one : here) unmatched.emplace(to_text(canonical(one.fields)), &one);
  CccfDifference difference;
  for (Side& one : there) {
    // The first of equals, which is the one that was there first.
    const auto found = unmatched.find(to_text(canonical(one.fields)));
    const auto first = found == unmatched.end() ? found : unmatched.lower_bound(found->first);
    one.matched = first != unmatched.end();
    if (one.matched) {
      first->second->matched = true;
      unmatched.erase(first);
    }
    (one.matched ? difference.keep : difference.add).push_back(*one.item);
  }
  for (const Side& one : here) {
    if (!one.matched) difference.remove.push_back(*one.item);
  }
  for (const Side& one : there) {
    if (one.matched) continue;
    const auto is_its_former = [&](const Side& other) {
      return !other.matched && other.item->id() == one.item->id();
    };
    const auto former = std::find_if(here.begin(), here.end(), is_its_former);
    if (former == here.end()) continue;
    former->matched = true;  // Explained, and not a second time.
    difference.changes.push_back({one.item->id(), explain_difference(former->fields, one.fields)});
  }
  return difference;
}

std::optional<CccfDifference> read_difference(const JsonValue& json, std::string_view file) {
  CccfDifference difference;
  // A container may have any field, but it has an id.
  if (json.object() == nullptr || json.find("id") != nullptr) return std::nullopt;
  const auto read = [&](const char* name, std::vector<CccfItem>& into) {
    const JsonValue* const list = json.find(name);
    if (list == nullptr || list->array() == nullptr) return false;
    for (std::size_t i = 0; i < list->array()->size(); ++i) {
      CccfItem item;
      item.fields = (*list->array())[i];
      item.file = file;
      item.pointer = pointer_part(name) + "/" + std::to_string(i);
      into.push_back(std::move(item));
    }
    return true;
  };
  const bool sound = read("add", difference.add) && read("keep", difference.keep) &&
                     read("remove", difference.remove);
  if (!sound) return std::nullopt;
  return difference;
}

JsonValue CccfDifference::to_json() const {
  JsonValue result = JsonValue::Object();
  result.set("add", to_json_array(add));
  result.set("keep", to_json_array(keep));
  result.set("remove", to_json_array(remove));
  JsonValue::Array explained;
  for (const CccfChange& change : changes) {
    JsonValue::Array list;
    for (const CccfFieldChange& field : change.fields) {
      JsonValue one = JsonValue::Object();
      one.set("field", field.field);
      one.set("current", field.current);
      one.set("wanted", field.wanted);
      list.push_back(std::move(one));
    }
    JsonValue entry = JsonValue::Object();
    entry.set("id", change.id);
    entry.set("fields", std::move(list));
    explained.push_back(std::move(entry));
  }
  result.set("changes", std::move(explained));
  return result;
}

}  // namespace shoal

#include "orchestrator/cccf/canonical.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "orchestrator/cccf/docker_flags.h"
#include "orchestrator/cccf/quantity.h"
#include "orchestrator/cccf/schema.h"
#include "orchestrator/cccf/words.h"

namespace shoal {
namespace {

/// Numbers by value, names sorted, at every depth.
JsonValue canonical_value(const JsonValue& value) {
  if (const auto* const number = value.number()) return JsonNumber{canonical_number(number->text)};
  if (const auto* const array = value.array()) {
    JsonValue::Array result;
    for (const JsonValue& element : *array) result.push_back(canonical_value(element));
    return result;
  }
  if (const auto* const fields = value.object()) {
    JsonValue::Object result;
    for (const JsonField& field : *fields) {
      result.push_back({field.name, canonical_value(field.value)});
    }
    std::sort(result.begin(), result.end(),
              [](const JsonField& a, const JsonField& b) { return a.name < b.name; });
    return result;
  }
  return value;
}

/// A plain value as the text that a flag would carry.
std::optional<std::string> plain_text(const JsonValue& value) {
  if (const auto* const text = value.text()) return *text;
  if (const auto* const number = value.number()) return canonical_number(number->text);
  if (const auto* const flag = value.boolean()) return *flag ? "true" : "false";
  return std::nullopt;
}

/// The values of a flag that may be given several times; nothing where it holds other things.
std::optional<std::vector<std::string>> plain_texts(const JsonValue& value) {
  std::vector<std::string> texts;
  if (const auto* const array = value.array()) {
    for (const JsonValue& element : *array) {
      auto text = plain_text(element);
      if (!text) return std::nullopt;
      texts.push_back(*std::move(text));
    }
  } else if (const auto* const fields = value.object()) {
    for (const JsonField& field : *fields) {
      const auto text = plain_text(field.value);
      if (!text) return std::nullopt;
      texts.push_back(field.name + "=" + *text);
    }
  } else if (auto text = plain_text(value)) {
    texts.push_back(*std::move(text));
  } else {
    return std::nullopt;
  }
  return texts;
}

std::string without_zeros(std::string_view digits) {
  const auto first = digits.find_first_not_of('0');
  return std::string(first == digits.npos ? "0" : digits.substr(first));
}

std::string canonical_port(std::string text) {
  if (text.ends_with("/tcp")) text.resize(text.size() - 4);
  for (const std::string_view any : {"0.0.0.0:", "[::]:", ":::"}) {
    if (text.starts_with(any)) text.erase(0, any.size());
  }
  if (!is_cccf_port(text)) return text;
  const auto colon = text.find(':');
  const auto slash = std::min(text.find('/'), text.size());
  return without_zeros(text.substr(0, colon)) + ":" +
         without_zeros(text.substr(colon + 1, slash - colon - 1)) + text.substr(slash);
}

std::string canonical_volume(const std::string& text) {
  if (is_bare_volume(text)) return text + ":" + text;
  // The options stand behind the last colon, if no path begins there.
  const auto last = text.rfind(':');
  if (last == text.npos || last + 1 == text.size() || text[last + 1] == '/') return text;
  std::vector<std::string> options;
  for (std::size_t from = last + 1; from <= text.size();) {
    const auto comma = std::min(text.find(',', from), text.size());
    options.push_back(text.substr(from, comma - from));
    from = comma + 1;
  }
  std::sort(options.begin(), options.end());
  std::erase(options, "rw");
  return text.substr(0, last) +
         fmt::format("{}{}", options.empty() ? "" : ":", fmt::join(options, ","));
}

void make_set(std::vector<std::string>& texts) {
  std::sort(texts.begin(), texts.end());
  texts.erase(std::unique(texts.begin(), texts.end()), texts.end());
}

/// Of a name given twice the last value counts. A name alone is a name with an empty value only
/// for labels; for env it takes the value from outside, and stays as it is.
void make_pairs(std::vector<std::string>& texts, bool labels) {
  std::map<std::string, std::string> by_name;
  for (std::string& text : texts) {
    if (labels && text.find('=') == text.npos) text += '=';
    const std::string name = text.substr(0, text.find('='));
    by_name.insert_or_assign(name, std::move(text));
  }
  texts.clear();
  for (auto& [name, text] : by_name) texts.push_back(std::move(text));
}

std::string canonical_link(std::string text) {
  if (text.starts_with('$')) text.erase(0, 1);
  const auto colon = text.find(':');
  // `db:db` is what `db` alone means.
  if (colon != text.npos && text.substr(0, colon) == text.substr(colon + 1)) text.resize(colon);
  return text;
}

std::string canonical_capability(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
  return text.starts_with("CAP_") ? text.substr(4) : text;
}

/// `/dev/a`, `/dev/a:/dev/a` and `/dev/a:/dev/a:rwm` are one.
std::string canonical_device(std::string text) {
  if (text.ends_with(":rwm")) text.resize(text.size() - 4);
  const auto colon = text.find(':');
  if (colon != text.npos && text.substr(0, colon) == text.substr(colon + 1)) text.resize(colon);
  return text;
}

class Form {
 public:
  JsonValue of(const JsonValue& fields) {
    for (const JsonField& field : *fields.object()) add(field);
    finish_lists();
    JsonValue::Object sorted;
    for (auto& [name, value] : values_) sorted.push_back({name, std::move(value)});
    return sorted;
  }

 private:
  void add(const JsonField& field) {
    const auto* const text = field.value.text();
    if (is_about_placement(field.name)) return;
    if (field.name == "id" && text != nullptr) {
      values_["id"] = text->substr(text->starts_with('/') ? 1 : 0);
    } else if (field.name == "image" && text != nullptr) {
      values_["image"] = canonical_image(*text);
    } else if (field.name == "cmd" && text != nullptr) {
      add_command(*text);
    } else if (!add_flag(field)) {
      values_[field.name] = canonical_value(field.value);
    }
  }

  void add_command(const std::string& text) {
    const auto words = split_words(text);
    if (words && words->empty()) return;
    if (!words) {
      values_["cmd"] = text;
      return;
    }
    JsonValue::Array array(words->begin(), words->end());
    values_["cmd"] = std::move(array);
  }

  /// False for what is no flag that is known, or holds what such a flag cannot take.
  bool add_flag(const JsonField& field) {
    const DockerFlag flag = docker_flag(field.name);
    if (flag.kind == FlagKind::other) return false;
    if (field.value.is_null()) return true;
    if (flag.kind >= FlagKind::list) {
      auto texts = plain_texts(field.value);
      if (!texts) return false;
      auto& list = lists_[std::string(flag.field)];
      list.kind = flag.kind;
      list.texts.insert(list.texts.end(), texts->begin(), texts->end());
      return true;
    }
    if (flag.kind == FlagKind::on) {
      if (field.value.boolean() == nullptr) return false;
      if (*field.value.boolean()) values_[std::string(flag.field)] = true;
      return true;
    }
    const auto text = scalar(flag.kind, field.value);
    if (!text) return false;
    if (flag.field == "network" && *text == "bridge") return true;  // What `default` is.
    if (*text != flag.none) values_[std::string(flag.field)] = *text;
    return true;
  }

  static std::optional<std::string> scalar(FlagKind kind, const JsonValue& value) {
    if (kind == FlagKind::bytes) {
      if (const auto bytes = read_bytes(value)) return std::to_string(*bytes);
    } else if (kind == FlagKind::span) {
      if (const auto span = read_span(value)) return fmt::format("{}ms", span->count());
    } else if (kind == FlagKind::amount) {
      if (const auto amount = read_amount(value))
        return canonical_number(fmt::format("{}", *amount));
    }
    return plain_text(value);
  }

  void finish_lists() {
    for (auto& [name, list] : lists_) {
      finish(name, list.kind, list.texts);
    }
    drop_published();
    for (auto& [name, list] : lists_) {
      if (list.texts.empty()) continue;
      values_[name] = JsonValue::Array(list.texts.begin(), list.texts.end());
    }
  }

  static void finish(const std::string& name, FlagKind kind, std::vector<std::string>& texts) {
    for (std::string& text : texts) {
      if (kind == FlagKind::ports) text = canonical_port(std::move(text));
      if (kind == FlagKind::volumes) text = canonical_volume(text);
      if (kind == FlagKind::expose && text.ends_with("/tcp")) text.resize(text.size() - 4);
      if (kind == FlagKind::expose && is_cccf_expose(text)) text = without_zeros(text);
      if (name == "links" || name == "volumes-from") text = canonical_link(std::move(text));
      if (name == "cap-add" || name == "cap-drop") text = canonical_capability(std::move(text));
      if (name == "device") text = canonical_device(std::move(text));
    }
    if (kind == FlagKind::pairs)
      make_pairs(texts, name == "labels");
    else if (kind != FlagKind::list)
      make_set(texts);
  }

  /// Whoever publishes a port of the container exposes it.
  void drop_published() {
    const auto exposed = lists_.find("expose");
    const auto published = lists_.find("ports");
    if (exposed == lists_.end() || published == lists_.end()) return;
    std::erase_if(exposed->second.texts, [&](const std::string& port) {
      const auto is_it = [&](const std::string& mapping) {
        return mapping.substr(mapping.rfind(':') + 1) == port;
      };
      const auto& all = published->second.texts;
      return std::any_of(all.begin(), all.end(), is_it);
    });
  }

  struct List {
    FlagKind kind = FlagKind::set;
    std::vector<std::string> texts;
  };
  std::map<std::string, JsonValue> values_;
  std::map<std::string, List> lists_;
};

}  // namespace

std::string canonical_image(const std::string& image) {
  if (image.empty()) return image;
  std::string name = image;
  std::string digest;
  if (const auto at = name.find('@'); at != name.npos) {
    digest = name.substr(at);
    name.resize(at);
  }
  for (const std::string_view hub : {"docker.io/", "index.docker.io/"}) {
    if (name.starts_with(hub)) name.erase(0, hub.size());
  }
  static constexpr std::string_view kLibrary = "library/";
  if (name.starts_with(kLibrary) && name.find('/', kLibrary.size()) == name.npos) {
    name.erase(0, kLibrary.size());
  }
  // A colon before a slash is a registry's port, not a tag's.
  const auto slash = name.rfind('/');
  const auto colon = name.find(':', slash == name.npos ? 0 : slash);
  if (!digest.empty()) return name.substr(0, colon) + digest;
  return colon == name.npos ? name + ":latest" : name;
}

JsonValue canonical(const JsonValue& fields) {
  return fields.object() == nullptr ? canonical_value(fields) : Form().of(fields);
}

Digest spec_hash(const JsonValue& fields) { return Digest::of(to_text(canonical(fields))); }

}  // namespace shoal

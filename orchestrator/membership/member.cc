#include "orchestrator/membership/member.h"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "registry/rfc3339.h"

namespace shoal {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kUrlBytesMax = 256;
constexpr std::size_t kTextBytesMax = 128;
constexpr std::size_t kLabelBytesMax = 63;

constexpr std::string_view kLetters =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

bool is_made_of(std::string_view text, std::string_view more) {
  return std::all_of(text.begin(), text.end(), [more](char c) {
    return kLetters.find(c) != kLetters.npos || more.find(c) != more.npos;
  });
}

bool is_url(std::string_view text) {
  constexpr std::string_view kScheme = "https://";
  return text.starts_with(kScheme) && text.size() > kScheme.size() && text.size() <= kUrlBytesMax &&
         is_made_of(text.substr(kScheme.size()), ".:-_[]%");
}

/// A text without anything that a terminal or a log would take for a command.
bool is_plain(std::string_view text) {
  return text.size() <= kTextBytesMax &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

/// Reads the members of one JSON object; the first that is not what it should be is the error.
class Fields {
 public:
  explicit Fields(const Json& object) : object_(object) {}

  std::string text(const char* name) {
    const Json* const field = find(name);
    if (field == nullptr) return {};
    if (field->is_string()) {
      auto value = field->get<std::string>();
      if (is_plain(value)) return value;
    }
    refuse(name, "is not a short text of printable ASCII");
    return {};
  }

  std::uint64_t number(const char* name) {
    const Json* const field = find(name);
    if (field == nullptr) return 0;
    if (field->is_number_unsigned()) return field->get<std::uint64_t>();
    refuse(name, "is not a number from 0 on");
    return 0;
  }

  bool flag(const char* name) {
    const Json* const field = find(name);
    if (field == nullptr) return false;
    if (field->is_boolean()) return field->get<bool>();
    refuse(name, "is not true or false");
    return false;
  }

  /// Null when it is missing.
  const Json* object(const char* name) {
    const Json* const field = find(name);
    if (field == nullptr || field->is_object()) return field;
    refuse(name, "is not an object");
    return nullptr;
  }

  std::vector<std::string> urls(const char* name) {
    std::vector<std::string> urls;
    const Json* const field = find(name);
    if (field == nullptr) return urls;
    if (!field->is_array() || field->size() > kMemberUrlsMax) {
      refuse(name, fmt::format("is not a list of at most {} addresses", kMemberUrlsMax));
      return urls;
    }
    for (const auto& url : *field) {
      if (!url.is_string() || !is_url(url.get_ref<const std::string&>())) {
        refuse(name, "has something else in it than `https://HOST:PORT`");
        return {};
      }
      urls.push_back(url.get<std::string>());
    }
    return urls;
  }

  std::map<std::string, std::string> labels(const char* name) {
    std::map<std::string, std::string> labels;
    const Json* const field = object(name);
    if (field == nullptr) return labels;
    if (field->size() > kMemberLabelsMax) {
      refuse(name, fmt::format("has more than {} entries", kMemberLabelsMax));
    }
    for (const auto& [key, value] : field->items()) {
      if (error_) return {};
      if (!value.is_string()) {
        refuse(name, "has a value that is no text");
        return {};
      }
      auto text = value.get<std::string>();
      if (const auto checked = check_label(key, text); !checked) error_ = checked.error();
      labels.emplace(key, std::move(text));
    }
    return labels;
  }

  void refuse(std::string_view name, std::string_view why) {
    if (!error_) {
      error_ = Error{Errc::bad_request, fmt::format("the member's `{}` {}", name, why)};
    }
  }
  [[nodiscard]] const std::optional<Error>& error() const { return error_; }

 private:
  const Json* find(const char* name) const {
    const auto found = object_.find(name);
    return found == object_.end() || found->is_null() ? nullptr : &*found;
  }

  const Json& object_;
  std::optional<Error> error_;
};

}  // namespace

std::string to_json(const Member& member) {
  Json json = {{"id", member.id},
               {"urls", member.urls},
               {"labels", member.labels},
               {"capacity",
                {{"disk_bytes", member.capacity.disk_bytes},
                 {"memory_bytes", member.capacity.memory_bytes},
                 {"cores", member.capacity.cores}}},
               {"engine", nullptr},
               {"version", member.version},
               {"joined", rfc3339(member.joined)},
               {"holds_state", member.holds_state},
               {"authority", member.authority}};
  if (member.engine) {
    json["engine"] = {{"kind", member.engine->kind},
                      {"version", member.engine->version},
                      {"api_version", member.engine->api_version}};
  }
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<Member> parse_member(std::string_view text) {
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return fail(Errc::bad_request, "a member is a JSON object");
  Fields fields(json);
  Member member;
  member.id = fields.text("id");
  member.urls = fields.urls("urls");
  member.labels = fields.labels("labels");
  member.version = fields.text("version");
  member.holds_state = fields.flag("holds_state");
  member.authority = fields.flag("authority");
  if (const auto joined = fields.text("joined"); !joined.empty()) {
    const auto time = parse_rfc3339(joined);
    if (!time) fields.refuse("joined", "is not a time as in RFC 3339");
    member.joined = time.value_or(UnixTime{});
  }
  if (fields.error()) return tl::unexpected(*fields.error());

  if (const Json* const object = fields.object("capacity")) {
    Fields capacity(*object);
    member.capacity = {capacity.number("disk_bytes"), capacity.number("memory_bytes"),
                       static_cast<unsigned>(capacity.number("cores"))};
    if (capacity.error()) return tl::unexpected(*capacity.error());
  }
  if (const Json* const object = fields.object("engine")) {
    Fields engine(*object);
    member.engine = Engine{engine.text("kind"), engine.text("version"), engine.text("api_version")};
    if (engine.error()) return tl::unexpected(*engine.error());
  }
  if (fields.error()) return tl::unexpected(*fields.error());
  return member;
}

Result<void> check_label(std::string_view key, std::string_view value) {
  const auto good = [](std::string_view text) {
    return text.size() <= kLabelBytesMax && is_made_of(text, "._/-");
  };
  if (!key.empty() && good(key) && good(value)) return {};
  return fail(
      Errc::bad_request,
      fmt::format("a label is made of letters, digits, `.`, `_`, `/` and `-`, at most {} in "
                  "key and value each",
                  kLabelBytesMax));
}

Result<std::pair<std::string, std::string>> parse_label(std::string_view text) {
  const auto at = text.find('=');
  if (at == text.npos) {
    return fail(Errc::usage, fmt::format("`{}` is not a label: it is written `key=value`", text));
  }
  const auto key = text.substr(0, at);
  const auto value = text.substr(at + 1);
  if (const auto checked = check_label(key, value); !checked) {
    return fail(Errc::usage, checked.error().message);
  }
  return std::pair(std::string(key), std::string(value));
}

Peer to_peer(const Member& member) { return {member.id, member.urls, member.labels}; }

}  // namespace shoal

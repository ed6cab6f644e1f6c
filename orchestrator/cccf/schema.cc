#include "orchestrator/cccf/schema.h"

#include <algorithm>

namespace shoal {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_word(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

bool all(std::string_view text, bool (*is)(char)) {
  return !text.empty() && std::all_of(text.begin(), text.end(), is);
}

/// `^(/[^/]+)+$`
bool is_path(std::string_view text) {
  return text.size() > 1 && text.front() == '/' && text.back() != '/' &&
         text.find("//") == text.npos;
}

}  // namespace

bool is_cccf_id(std::string_view text) {
  if (text.starts_with('/')) text.remove_prefix(1);
  return all(text, [](char c) { return is_word(c) || c == '-'; });
}

bool is_cccf_port(std::string_view text) {
  if (text.ends_with("/tcp") || text.ends_with("/udp")) text.remove_suffix(4);
  const auto colon = text.find(':');
  return colon != text.npos && all(text.substr(0, colon), is_digit) &&
         all(text.substr(colon + 1), is_digit);
}

bool is_cccf_env(std::string_view text) {
  const auto equals = text.find('=');
  if (equals == text.npos || !all(text.substr(0, equals), is_word)) return false;
  const std::string_view value = text.substr(equals);
  // The line terminators of ECMAScript; the last two are U+2028 and U+2029.
  for (const std::string_view end : {"\n", "\r", "\xE2\x80\xA8", "\xE2\x80\xA9"}) {
    if (value.find(end) != value.npos) return false;
  }
  return true;
}

bool is_cccf_volume(std::string_view text) {
  for (auto colon = text.find(':'); colon != text.npos; colon = text.find(':', colon + 1)) {
    if (colon > 0 && text[colon - 1] != '\0' && is_path(text.substr(colon + 1))) return true;
  }
  return false;
}

bool is_cccf_expose(std::string_view text) { return all(text, is_digit); }

bool is_bare_volume(std::string_view text) { return is_path(text) && text.find(':') == text.npos; }

}  // namespace shoal

#include "orchestrator/keys.h"

namespace shoal::state_keys {
namespace {

std::string join(std::string_view prefix, std::string_view rest) {
  std::string key(prefix);
  key += rest;
  return key;
}

}  // namespace

std::string node(std::string_view id) { return join(kNodes, id); }
std::string live(std::string_view id) { return join(kLive, id); }
std::string removed(std::string_view id) { return join(kRemoved, id); }
std::string drain(std::string_view id) { return join(kDrain, id); }
std::string token(std::string_view id) { return join(kTokens, id); }
std::string repository(const Repository& name) { return join(kRepositories, name.text()); }
std::string tags(const Repository& name) { return join(kTags, name.text()) + ':'; }
std::string tag(const Repository& name, const std::string& tag) { return tags(name) + tag; }

std::optional<TagKey> parse_tag(std::string_view key) {
  constexpr std::string_view kPrefix = "tags/";
  const auto colon = key.rfind(':');
  if (!key.starts_with(kPrefix) || colon == key.npos) return std::nullopt;
  return TagKey{std::string(key.substr(kPrefix.size(), colon - kPrefix.size())),
                std::string(key.substr(colon + 1))};
}

}  // namespace shoal::state_keys

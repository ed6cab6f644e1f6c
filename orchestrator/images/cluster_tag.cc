#include "orchestrator/images/cluster_tag.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "registry/rfc3339.h"

namespace shoal {

using Json = nlohmann::ordered_json;

std::string encode(const ClusterTag& tag) {
  const Json json = {{"digest", tag.digest.to_string()},
                     {"media_type", tag.media_type},
                     {"size", tag.size},
                     {"pushed_by", tag.pushed_by},
                     {"pushed", rfc3339(tag.pushed)}};
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<ClusterTag> decode_cluster_tag(std::string_view key, std::string_view value) {
  const auto damaged = [&](std::string_view what) {
    return fail(Errc::corrupt, fmt::format("the state's entry `{}` {}", key, what));
  };
  const Json json = Json::parse(value, nullptr, false);
  if (!json.is_object()) return damaged("is not a JSON object");
  const auto text = [&](const char* name) {
    const auto field = json.find(name);
    return field != json.end() && field->is_string() ? field->get<std::string>() : std::string();
  };
  const auto digest = Digest::parse(text("digest"));
  if (!digest) return damaged("has no digest: " + digest.error().message);
  const auto size = json.find("size");
  if (size == json.end() || !size->is_number_unsigned()) return damaged("has no size");
  const auto pushed = parse_rfc3339(text("pushed"));
  if (!pushed) return damaged("has no time");
  return ClusterTag{*digest, text("media_type"), size->get<std::uint64_t>(), text("pushed_by"),
                    *pushed};
}

}  // namespace shoal

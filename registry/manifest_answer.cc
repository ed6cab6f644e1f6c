#include "registry/manifest_answer.h"

#include "registry/conditional.h"
#include "registry/error_response.h"

namespace shoal {

Response describe_manifest(const ManifestInfo& info, const Request& request, bool immutable) {
  const auto tag = entity_tag(info.digest);
  Response response;
  auto& headers = response.headers;
  headers.add("Content-Type", info.media_type);
  headers.add("Docker-Content-Digest", std::string_view(tag).substr(1, tag.size() - 2));
  headers.add("ETag", tag);
  if (immutable) headers.add("Cache-Control", "max-age=31536000");
  if (none_match_fails(request.headers, tag))
    response.status = 304;
  else
    response.length = info.size;
  return response;
}

Response answer_manifest(const Manifests::Stored& stored, const Request& request, bool immutable) {
  auto response = describe_manifest(stored.info, request, immutable);
  if (response.status == 200) response.body = std::string(stored.content.view());
  return response;
}

Response manifest_failure(const Error& error) {
  if (error.code != Errc::corrupt) return error_response(error);
  return error_response({Errc::manifest_unknown, error.message});
}

}  // namespace shoal

#include "registry/error_response.h"

#include "registry/http/error_document.h"

namespace shoal {
namespace {

struct HttpError {
  int status;
  const char* code;  // OCI's, or Docker's where OCI has none.
};

HttpError to_http(Errc code) {
  switch (code) {
    case Errc::digest_invalid: return {400, "DIGEST_INVALID"};
    case Errc::name_invalid: return {400, "NAME_INVALID"};
    case Errc::tag_invalid: return {400, "TAG_INVALID"};
    case Errc::manifest_invalid: return {400, "MANIFEST_INVALID"};
    case Errc::manifest_blob_unknown: return {400, "MANIFEST_BLOB_UNKNOWN"};
    case Errc::size_invalid: return {400, "SIZE_INVALID"};
    case Errc::range_invalid: return {416, "RANGE_INVALID"};
    case Errc::page_invalid: return {400, "PAGINATION_NUMBER_INVALID"};
    case Errc::too_large: return {413, "SIZE_INVALID"};
    case Errc::too_many: return {429, "TOOMANYREQUESTS"};
    case Errc::unsupported: return {405, "UNSUPPORTED"};
    case Errc::bad_request: return {400, "UNSUPPORTED"};
    case Errc::blob_unknown: return {404, "BLOB_UNKNOWN"};
    case Errc::manifest_unknown: return {404, "MANIFEST_UNKNOWN"};
    case Errc::name_unknown: return {404, "NAME_UNKNOWN"};
    case Errc::upload_unknown: return {404, "BLOB_UPLOAD_UNKNOWN"};
    case Errc::events_compacted: return {410, "UNKNOWN"};
    case Errc::upload_busy: return {409, "BLOB_UPLOAD_INVALID"};
    case Errc::unavailable: return {503, "UNKNOWN"};
    case Errc::timed_out: return {408, "UNKNOWN"};
    case Errc::denied: return {403, "DENIED"};
    case Errc::conflict: return {409, "UNKNOWN"};
    case Errc::member_unknown: return {404, "MEMBER_UNKNOWN"};
    case Errc::outcome_unknown: return {503, "UNKNOWN"};
    case Errc::disk_full: return {507, "UNKNOWN"};
    case Errc::quota_exceeded: return {507, "DENIED"};
    case Errc::corrupt: return {404, "BLOB_UNKNOWN"};  // Quarantined: here, it exists no more.
    case Errc::usage:
    case Errc::lease_lost:
    case Errc::would_block:
    case Errc::io: break;
  }
  return {500, "UNKNOWN"};
}

Response response_of(int status, std::string document) {
  Response response;
  response.status = status;
  response.headers.add("Content-Type", "application/json");
  response.body = std::move(document);
  return response;
}

}  // namespace

Response error_response(const Error& error) {
  const HttpError mapped = to_http(error.code);
  auto response = response_of(mapped.status, error_document({{mapped.code, error.message, ""}}));
  if (mapped.status == 503 || mapped.status == 429) response.headers.add("Retry-After", "1");
  return response;
}

Response refusal(int status, std::string_view message) {
  return response_of(status, error_document({{"UNSUPPORTED", std::string(message), ""}}));
}

Response method_not_allowed(std::string_view allow) {
  auto response = refusal(405, "this path allows " + std::string(allow));
  response.headers.add("Allow", allow);
  return response;
}

Response deletes_disabled(std::string_view allow) {
  auto response = refusal(405, "deleting is switched off on this node (registry.deletes)");
  response.headers.add("Allow", allow);
  return response;
}

Response missing_blobs_response(const std::vector<Digest>& missing) {
  const auto [status, code] = to_http(Errc::manifest_blob_unknown);
  std::vector<ErrorEntry> errors;
  errors.reserve(missing.size());
  for (const auto& digest : missing) {
    const auto text = digest.to_string();
    errors.push_back(
        {code, "the repository does not hold " + text, "{\"digest\":\"" + text + "\"}"});
  }
  return response_of(status, error_document(errors));
}

}  // namespace shoal

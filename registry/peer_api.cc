#include "registry/peer_api.h"

#include "registry/blob_answer.h"
#include "registry/disk.h"
#include "registry/error_response.h"
#include "registry/manifest_answer.h"

namespace shoal {
namespace {

constexpr std::string_view kBlobs = "/cluster/v1/blobs/";
constexpr std::string_view kManifests = "/cluster/v1/manifests";
constexpr std::uint32_t kRangesMax = 16;

}  // namespace

asio::awaitable<Response> PeerApi::serve(Request& request) {
  const std::string_view path = request.path;
  const bool known = path.starts_with(kBlobs) || path == kManifests;
  if (!known) co_return refusal(404, "there is no " + request.path + " in this version of the API");
  const bool reads = request.method == Method::get || request.method == Method::head;
  if (!reads) co_return method_not_allowed("GET, HEAD");
  if (path == kManifests) co_return co_await manifest(request);
  const auto digest = path.substr(kBlobs.size());
  co_return co_await blob(request, digest);
}

asio::awaitable<Response> PeerApi::blob(Request& request, std::string_view text) {
  const auto digest = Digest::parse(text);
  if (!digest) co_return error_response(digest.error());
  const auto keep = [&](Wait wait) { return store_.blobs().keep(*digest, wait); };
  const auto info = co_await from_memory_or_disk(disk_, keep);
  if (!info) co_return error_response(info.error());
  if (request.method == Method::head) co_return describe_blob(*info, request);

  const auto open = [&](Wait wait) { return store_.blobs().open_any(*digest, wait); };
  auto reader = co_await from_memory_or_disk(disk_, open);
  if (!reader) co_return error_response(reader.error());
  co_return answer_blob(*std::move(reader), request, kRangesMax, disk_);
}

asio::awaitable<Response> PeerApi::manifest(Request& request) {
  const auto repository = Repository::parse(request.parameter("repository").value_or(""));
  if (!repository) co_return error_response(repository.error());
  const auto digest = Digest::parse(request.parameter("digest").value_or(""));
  if (!digest) co_return error_response(digest.error());
  if (request.method == Method::head) {
    const auto stat = [&](Wait wait) {
      return store_.manifests().stat(*repository, *digest, wait);
    };
    const auto info = co_await from_memory_or_disk(disk_, stat);
    if (!info) co_return manifest_failure(info.error());
    co_return describe_manifest(*info, request, true);
  }
  const auto get = [&](Wait wait) { return store_.manifests().get(*repository, *digest, wait); };
  const auto stored = co_await from_memory_or_disk(disk_, get);
  if (!stored) co_return manifest_failure(stored.error());
  co_return answer_manifest(*stored, request, true);
}

}  // namespace shoal

#include "registry/api.h"

#include <algorithm>
#include <exception>

#include "registry/blob_routes.h"
#include "registry/context.h"
#include "registry/error_response.h"
#include "registry/list_routes.h"
#include "registry/manifest_routes.h"
#include "registry/path.h"
#include "registry/referrer_routes.h"
#include "registry/shared_images.h"
#include "registry/upload_routes.h"

namespace shoal {
namespace {

Response serve_base(const Request& request) {
  const bool reads = request.method == Method::get || request.method == Method::head;
  if (!reads) return method_not_allowed("GET, HEAD");
  Response response;
  response.headers.add("Content-Type", "application/json");
  response.body = "{}";
  return response;
}

asio::awaitable<Response> dispatch(const RouteContext& context, Request& request) {
  const auto path = parse_path(request.path);
  if (!path) co_return error_response(path.error());
  switch (path->endpoint) {
    case Endpoint::base: co_return serve_base(request);
    case Endpoint::catalog: co_return co_await serve_catalog(context, request);
    case Endpoint::extensions: co_return serve_extensions(request);
    case Endpoint::blob: co_return co_await serve_blob(context, *path, request);
    case Endpoint::uploads: co_return co_await serve_uploads(context, *path, request);
    case Endpoint::upload: co_return co_await serve_upload(context, *path, request);
    case Endpoint::manifest: co_return co_await serve_manifest(context, *path, request);
    case Endpoint::tags: co_return co_await serve_tags(context, *path, request);
    case Endpoint::referrers: co_return co_await serve_referrers(context, *path, request);
  }
  co_return error_response({Errc::name_unknown, "no such endpoint"});
}

/// Whether `text` could be `HOST` or `HOST:PORT`. It is never dialled, only said back.
bool is_host(std::string_view text) {
  constexpr std::size_t kBytesMax = 255;
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-' || c == ':' || c == '[' || c == ']';
  };
  return !text.empty() && text.size() <= kBytesMax &&
         std::all_of(text.begin(), text.end(), allowed);
}

}  // namespace

RegistryApi::RegistryApi(Store& store, asio::thread_pool& disk, const RegistryConfig& config)
    : RegistryApi(store, disk, config, nullptr, disk) {}

RegistryApi::RegistryApi(Store& store, asio::thread_pool& disk, const RegistryConfig& config,
                         Elsewhere* elsewhere, asio::thread_pool& remote)
    : store_(store),
      disk_(disk),
      config_(config),
      shared_(elsewhere == nullptr ? nullptr : std::make_unique<SharedImages>(store, *elsewhere)),
      remote_(remote) {}

RegistryApi::~RegistryApi() = default;

asio::awaitable<Response> RegistryApi::serve(Request& request) {
  const RouteContext context = {store_, disk_, config_, shared_.get(), remote_};
  Response response;
  try {
    response = co_await dispatch(context, request);
  } catch (const std::exception& error) {
    // Out of memory, or a fault of ours: this request fails, the node goes on.
    response = error_response({Errc::io, std::string("internal error: ") + error.what()});
  }
  response.headers.add("Docker-Distribution-API-Version", "registry/2.0");
  const bool reads = request.method == Method::get || request.method == Method::head;
  if (reads) {
    const auto name = request.parameter("ns");
    if (name && is_host(*name)) response.headers.add("OCI-Namespace", *name);
  }
  co_return response;
}

}  // namespace shoal

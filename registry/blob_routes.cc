#include "registry/blob_routes.h"

#include "registry/blob_answer.h"
#include "registry/disk.h"
#include "registry/error_response.h"
#include "registry/shared_images.h"

namespace shoal {
namespace {

/// Whether the own store said "not here", and another node may have it.
bool may_be_elsewhere(const RouteContext& context, const Error& error) {
  return context.shared != nullptr && error.code == Errc::blob_unknown;
}

asio::awaitable<Response> get_shared(const RouteContext& context, const Repository& repository,
                                     const Digest& digest, const Request& request) {
  const auto open = [&] { return context.shared->open(repository, digest); };
  auto found = co_await run_on(context.remote.get_executor(), open);
  if (!found) co_return error_response(found.error());
  auto& pool = found->remote ? context.remote : context.disk;
  co_return answer_blob(std::move(found->reader), request, context.config.ranges_max, pool);
}

asio::awaitable<Response> get(const RouteContext& context, const Repository& repository,
                              const Digest& digest, Request& request) {
  const auto open = [&](Wait wait) { return context.store.blobs().open(repository, digest, wait); };
  auto reader = co_await from_memory_or_disk(context.disk, open);
  if (!reader && may_be_elsewhere(context, reader.error())) {
    co_return co_await get_shared(context, repository, digest, request);
  }
  if (!reader) co_return error_response(reader.error());
  co_return answer_blob(*std::move(reader), request, context.config.ranges_max, context.disk);
}

asio::awaitable<Response> head(const RouteContext& context, const Repository& repository,
                               const Digest& digest, Request& request) {
  const auto stat = [&](Wait wait) { return context.store.blobs().stat(repository, digest, wait); };
  auto info = co_await from_memory_or_disk(context.disk, stat);
  if (!info && may_be_elsewhere(context, info.error())) {
    const auto ask = [&] { return context.shared->stat(repository, digest); };
    info = co_await run_on(context.remote.get_executor(), ask);
  }
  if (!info) co_return error_response(info.error());
  co_return describe_blob(*info, request);
}

asio::awaitable<Response> remove(const RouteContext& context, const Repository& repository,
                                 const Digest& digest) {
  if (!context.config.deletes) co_return deletes_disabled("GET, HEAD");
  const auto drop = [&] {
    return context.shared != nullptr ? context.shared->remove_blob(repository, digest)
                                     : context.store.blobs().remove(repository, digest);
  };
  const auto removed = co_await on_disk(context.blocking(), drop);
  if (!removed) co_return error_response(removed.error());
  Response response;
  response.status = 202;
  response.headers.add("Docker-Content-Digest", digest.to_string());
  co_return response;
}

}  // namespace

asio::awaitable<Response> serve_blob(const RouteContext& context, const RegistryPath& path,
                                     Request& request) {
  const auto digest = Digest::parse(path.reference);
  if (!digest) co_return error_response(digest.error());
  switch (request.method) {
    case Method::get: co_return co_await get(context, *path.repository, *digest, request);
    case Method::head: co_return co_await head(context, *path.repository, *digest, request);
    case Method::delete_: co_return co_await remove(context, *path.repository, *digest);
    default: co_return method_not_allowed("GET, HEAD, DELETE");
  }
}

}  // namespace shoal

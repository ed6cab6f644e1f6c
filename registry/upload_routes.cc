#include "registry/upload_routes.h"

#include <algorithm>

#include "registry/disk.h"
#include "registry/error_response.h"
#include "registry/shared_images.h"
#include "registry/upload_range.h"
#include "registry/upload_writer.h"

namespace shoal {
namespace {

// Bodies up to this size are read first and then handled in one visit to the disk pool.
constexpr std::uint64_t kSmallBytesMax = 64 << 10;

Response describe(int code, const UploadStatus& status) {
  Response response;
  response.status = code;
  response.headers.add("Location",
                       "/v2/" + status.repository.text() + "/blobs/uploads/" + status.id);
  response.headers.add("Range", upload_range(status.offset));
  response.headers.add("Docker-Upload-UUID", status.id);
  return response;
}

Response created(const Repository& repository, const Digest& digest) {
  Response response;
  response.status = 201;
  response.headers.add("Location", blob_location(repository, digest));
  response.headers.add("Docker-Content-Digest", digest.to_string());
  return response;
}

bool is_small(const RequestBody& body) {
  return body.length().value_or(UINT64_MAX) <= kSmallBytesMax;
}

asio::awaitable<Result<std::string>> read_small(RequestBody& body) {
  std::string content(static_cast<std::size_t>(*body.length()), '\0');
  if (content.empty()) co_return content;
  const std::span<char> room(content);
  const auto got = co_await body.read(room);
  if (!got) co_return tl::unexpected(got.error());
  content.resize(*got);
  co_return content;
}

/// A digest among the query's parameters.
Result<Digest> digest_parameter(const Request& request) {
  const auto text = request.parameter("digest");
  if (!text) return fail(Errc::digest_invalid, "the parameter 'digest' is missing");
  return Digest::parse(*text);
}

/// What a request says about the chunk in its body, before a byte of that is read.
struct Chunk {
  std::optional<ChunkRange> range;
  std::uint64_t bytes_max = UINT64_MAX;  // Of this chunk, by its range.
};

Result<Chunk> announced_chunk(const Request& request) {
  const auto field = request.headers.find("Content-Range");
  const auto length = request.body->length();
  // A PUT that only closes the session has no chunk, whatever range it names.
  const bool only_closes = request.method == Method::put && length == 0;
  if (!field || only_closes) return Chunk{};
  const auto range = parse_upload_range(*field);
  if (!range) return tl::unexpected(range.error());
  if (length && *length != range->length()) {
    return fail(Errc::size_invalid, "Content-Range speaks of " + std::to_string(range->length()) +
                                        " bytes, Content-Length of " + std::to_string(*length));
  }
  return Chunk{*range, range->length()};
}

/// How many bytes a blob of `offset` bytes may still get, if the announced body fits.
Result<std::uint64_t> room_for(const RequestBody& body, std::uint64_t offset,
                               const RegistryConfig& config) {
  const auto blob_max = config.blob_bytes_max == 0 ? UINT64_MAX : config.blob_bytes_max;
  const auto rest = blob_max - std::min(blob_max, offset);
  if (body.length().value_or(0) <= rest) return rest;
  return fail(Errc::too_large, "blobs may have at most " + std::to_string(blob_max) +
                                   " bytes here (registry.blob-max)");
}

/// Whether the chunk goes where the session stands, and how many bytes it may have.
Result<std::uint64_t> admit(const Chunk& chunk, const UploadStatus& status, const Request& request,
                            const RegistryConfig& config) {
  if (chunk.range && chunk.range->first != status.offset) {
    return fail(Errc::range_invalid, "the next byte of this upload is " +
                                         std::to_string(status.offset) + ", the chunk starts at " +
                                         std::to_string(chunk.range->first));
  }
  const auto room = room_for(*request.body, status.offset, config);
  if (!room) return room;
  return std::min(*room, chunk.bytes_max);
}

/// One request that adds to a session, and perhaps ends it.
struct Step {
  const RouteContext& context;
  const Repository& repository;
  const std::string& id;
  Request& request;
  Chunk chunk;

  Uploads& uploads() const { return context.store.uploads(); }

  /// Claims the session and appends a body that is in memory. Blocking.
  Result<std::unique_ptr<Upload>> claim_and_append(std::string_view content) const {
    auto upload = uploads().claim(repository, id);
    if (!upload) return upload;
    const auto admitted = admit(chunk, (*upload)->status(), request, context.config);
    if (!admitted) return tl::unexpected(admitted.error());
    if (content.empty()) return upload;
    const auto appended = (*upload)->append(content);
    if (!appended) return tl::unexpected(appended.error());
    return upload;
  }

  /// Streams the body into the claimed session. On a failure the session is paused: it stands at
  /// its last good offset, for the client to ask for.
  asio::awaitable<Result<void>> stream(UploadWriter& writer) const {
    Result<std::uint64_t> appended = admit(chunk, writer.status(), request, context.config);
    if (appended) {
      const auto bytes_max = *appended;
      appended = co_await writer.append(*request.body, request.executor, bytes_max);
    }
    if (appended && chunk.range && *appended != chunk.range->length()) {
      appended = fail(Errc::size_invalid, "the body is shorter than its Content-Range");
    }
    if (appended) co_return Result<void>();
    const auto paused = co_await writer.pause();
    const bool said_too_much = appended.error().code == Errc::too_large && chunk.range.has_value();
    if (said_too_much) {
      co_return fail(Errc::size_invalid, "the body is longer than its Content-Range");
    }
    // The first failure says more than what the pause may add to it.
    static_cast<void>(paused);
    co_return tl::unexpected(appended.error());
  }

  /// The answer to a failure. One that is about the offset tells the client where to go on.
  asio::awaitable<Response> refuse(Error error) const {
    auto response = error_response(error);
    if (error.code != Errc::range_invalid) co_return response;
    const auto look_up = [this] { return uploads().status(repository, id); };
    const auto status = co_await on_disk(context.disk, look_up);
    if (!status) co_return error_response(status.error());
    const auto state = describe(response.status, *status);
    for (const auto& field : state.headers.fields()) response.headers.add(field.name, field.value);
    co_return response;
  }

  asio::awaitable<Result<UploadStatus>> patch() const {
    if (is_small(*request.body)) co_return co_await patch_small();
    co_return co_await patch_large();
  }

  asio::awaitable<Result<BlobInfo>> put(const Digest& digest) const {
    if (is_small(*request.body)) co_return co_await put_small(digest);
    co_return co_await put_large(digest);
  }

  asio::awaitable<Result<UploadStatus>> patch_small() const {
    const auto content = co_await read_small(*request.body);
    if (!content) co_return tl::unexpected(content.error());
    const auto work = [&]() -> Result<UploadStatus> {
      const auto upload = claim_and_append(*content);
      if (!upload) return tl::unexpected(upload.error());
      return (*upload)->pause();
    };
    co_return co_await on_disk(context.disk, work);
  }

  asio::awaitable<Result<UploadStatus>> patch_large() const {
    auto writer = co_await UploadWriter::take(uploads(), context.disk, repository, id);
    if (!writer) co_return tl::unexpected(writer.error());
    const auto streamed = co_await stream(*writer);
    if (!streamed) co_return tl::unexpected(streamed.error());
    co_return co_await writer->pause();
  }

  asio::awaitable<Result<BlobInfo>> put_small(const Digest& digest) const {
    const auto content = co_await read_small(*request.body);
    if (!content) co_return tl::unexpected(content.error());
    const auto work = [&]() -> Result<BlobInfo> {
      const auto upload = claim_and_append(*content);
      if (!upload) return tl::unexpected(upload.error());
      return (*upload)->commit(digest);
    };
    co_return co_await on_disk(context.disk, work);
  }

  asio::awaitable<Result<BlobInfo>> put_large(const Digest& digest) const {
    auto writer = co_await UploadWriter::take(uploads(), context.disk, repository, id);
    if (!writer) co_return tl::unexpected(writer.error());
    const auto streamed = co_await stream(*writer);
    if (!streamed) co_return tl::unexpected(streamed.error());
    co_return co_await writer->commit(digest);
  }
};

asio::awaitable<Response> patch(const Step& step) {
  const auto status = co_await step.patch();
  if (!status) co_return co_await step.refuse(status.error());
  co_return describe(202, *status);
}

asio::awaitable<Response> put(const Step& step) {
  const auto digest = digest_parameter(step.request);
  if (!digest) co_return error_response(digest.error());
  const auto blob = co_await step.put(*digest);
  if (!blob) co_return co_await step.refuse(blob.error());
  co_return created(step.repository, *digest);
}

asio::awaitable<Response> add_chunk(const RouteContext& context, const RegistryPath& path,
                                    Request& request) {
  Step step = {context, *path.repository, path.reference, request, {}};
  auto chunk = announced_chunk(request);
  if (!chunk) co_return co_await step.refuse(chunk.error());
  step.chunk = *chunk;
  if (request.method == Method::put) co_return co_await put(step);
  co_return co_await patch(step);
}

asio::awaitable<Response> get_status(const RouteContext& context, const RegistryPath& path) {
  const auto look_up = [&] {
    return context.store.uploads().status(*path.repository, path.reference);
  };
  const auto status = co_await on_disk(context.disk, look_up);
  if (!status) co_return error_response(status.error());
  co_return describe(204, *status);
}

asio::awaitable<Response> cancel(const RouteContext& context, const RegistryPath& path) {
  const auto drop = [&] {
    return context.store.uploads().cancel(*path.repository, path.reference);
  };
  const auto dropped = co_await on_disk(context.disk, drop);
  if (!dropped) co_return error_response(dropped.error());
  Response response;
  response.status = 204;
  co_return response;
}

asio::awaitable<Result<BlobInfo>> post_small(const RouteContext& context,
                                             const Repository& repository, const Digest& digest,
                                             Request& request) {
  const auto content = co_await read_small(*request.body);
  if (!content) co_return tl::unexpected(content.error());
  const auto put = [&] { return context.store.uploads().put(repository, digest, *content); };
  co_return co_await on_disk(context.disk, put);
}

/// A body that is not kept in memory goes through a session that nobody else sees.
asio::awaitable<Result<BlobInfo>> post_large(const RouteContext& context,
                                             const Repository& repository, const Digest& digest,
                                             Request& request) {
  auto& uploads = context.store.uploads();
  const auto create = [&] { return uploads.create(repository, digest.algorithm()); };
  const auto session = co_await on_disk(context.disk, create);
  if (!session) co_return tl::unexpected(session.error());

  const Step step = {context, repository, session->id, request, {}};
  const auto blob = co_await step.put_large(digest);
  if (!blob) {
    const auto drop = [&] { return uploads.cancel(repository, session->id); };
    const auto dropped = co_await on_disk(context.disk, drop);
    static_cast<void>(dropped);  // A mismatch has ended the session already.
  }
  co_return blob;
}

asio::awaitable<Result<BlobInfo>> post_whole(const RouteContext& context,
                                             const Repository& repository, Request& request) {
  const auto digest = digest_parameter(request);
  if (!digest) co_return tl::unexpected(digest.error());
  const auto room = room_for(*request.body, 0, context.config);
  if (!room) co_return tl::unexpected(room.error());
  if (is_small(*request.body)) {
    co_return co_await post_small(context, repository, *digest, request);
  }
  co_return co_await post_large(context, repository, *digest, request);
}

/// What a mount needs, if the request asks for one that could be served.
struct Mount {
  Digest digest;
  std::optional<Repository> from;
};

std::optional<Mount> requested_mount(const Request& request) {
  const auto text = request.parameter("mount");
  if (!text) return std::nullopt;
  const auto digest = Digest::parse(*text);
  if (!digest) return std::nullopt;
  const auto from_text = request.parameter("from");
  if (!from_text) return Mount{*digest, std::nullopt};
  auto from = Repository::parse(*from_text);
  if (!from) return std::nullopt;
  return Mount{*digest, *std::move(from)};
}

asio::awaitable<Response> post(const RouteContext& context, const Repository& repository,
                               Request& request) {
  if (const auto mount = requested_mount(request)) {
    const auto link = [&] {
      return context.store.blobs().mount(repository, mount->digest, mount->from);
    };
    const auto linked = co_await on_disk(context.disk, link);
    if (linked) co_return created(repository, mount->digest);
    if (context.shared != nullptr) {
      const auto bring = [&] {
        return context.shared->mount(repository, mount->digest, mount->from);
      };
      const auto brought = co_await run_on(context.remote.get_executor(), bring);
      if (brought) co_return created(repository, mount->digest);
    }
  }
  if (request.parameter("digest")) {
    const auto blob = co_await post_whole(context, repository, request);
    if (!blob) co_return error_response(blob.error());
    co_return created(repository, blob->digest);
  }

  const auto name = request.parameter("digest-algorithm").value_or("sha256");
  const auto algorithm = parse_algorithm(name);
  if (!algorithm) co_return error_response(algorithm.error());
  const auto create = [&] { return context.store.uploads().create(repository, *algorithm); };
  const auto status = co_await on_disk(context.disk, create);
  if (!status) co_return error_response(status.error());
  co_return describe(202, *status);
}

}  // namespace

asio::awaitable<Response> serve_uploads(const RouteContext& context, const RegistryPath& path,
                                        Request& request) {
  if (request.method != Method::post) co_return method_not_allowed("POST");
  co_return co_await post(context, *path.repository, request);
}

asio::awaitable<Response> serve_upload(const RouteContext& context, const RegistryPath& path,
                                       Request& request) {
  switch (request.method) {
    case Method::get:
    case Method::head: co_return co_await get_status(context, path);
    case Method::patch:
    case Method::put: co_return co_await add_chunk(context, path, request);
    case Method::delete_: co_return co_await cancel(context, path);
    default: co_return method_not_allowed("GET, HEAD, PATCH, PUT, DELETE");
  }
}

}  // namespace shoal

#include "registry/manifest_routes.h"

#include <algorithm>
#include <optional>
#include <variant>

#include "registry/disk.h"
#include "registry/error_response.h"
#include "registry/http/whole_body.h"
#include "registry/manifest.h"
#include "registry/manifest_answer.h"
#include "registry/shared_images.h"
#include "registry/stale.h"

namespace shoal {
namespace {

// The specification's limit for all warnings of a response together.
constexpr std::size_t kWarningBytesMax = 4096;

/// Tags have no colon, digests always have one: what has one and is no digest is a bad digest.
Result<ManifestReference> parse_reference(const std::string& text) {
  if (text.find(':') != text.npos) {
    auto digest = Digest::parse(text);
    if (!digest) return tl::unexpected(digest.error());
    return *std::move(digest);
  }
  auto tag = Tag::parse(text);
  if (!tag) return tl::unexpected(tag.error());
  return *std::move(tag);
}

/// The same for reading, where a tag that cannot exist is simply not there.
Result<ManifestReference> parse_existing(const std::string& text) {
  auto reference = parse_reference(text);
  if (!reference && reference.error().code == Errc::tag_invalid) {
    return fail(Errc::manifest_unknown, reference.error().message);
  }
  return reference;
}

bool is_gone(const Error& error) {
  return error.code == Errc::manifest_unknown || error.code == Errc::name_unknown ||
         error.code == Errc::corrupt;
}

/// What the own store says of a manifest, and whether the name it was asked for by may be old.
template <class T>
struct Found {
  T value;
  bool stale = false;
};

/// In a cluster the shared names decide what a tag means, and what the own store lacks comes from
/// another node. `ask` takes a reference and a Wait and returns a Result<T>.
template <class T, class Ask>
asio::awaitable<Result<Found<T>>> find_shared(const RouteContext& context,
                                              const Repository& repository,
                                              const ManifestReference& reference, const Ask& ask) {
  auto& shared = *context.shared;
  const auto remote = context.remote.get_executor();
  bool stale = false;
  std::optional<Digest> digest;
  if (const auto* const tag = std::get_if<Tag>(&reference)) {
    const auto resolve = [&] { return shared.resolve(repository, *tag); };
    const auto named = co_await run_on(remote, resolve);
    if (!named) co_return tl::unexpected(named.error());
    digest = named->digest;
    stale = named->stale;
  } else {
    digest = std::get<Digest>(reference);
  }
  const ManifestReference by_digest = *digest;
  const auto own = [&](Wait wait) { return ask(by_digest, wait); };
  auto found = co_await from_memory_or_disk(context.disk, own);
  if (!found && is_gone(found.error())) {
    const auto bring = [&] { return shared.bring_manifest(repository, *digest); };
    const auto brought = co_await run_on(remote, bring);
    if (!brought) co_return tl::unexpected(brought.error());
    found = co_await from_memory_or_disk(context.disk, own);
  }
  if (!found) co_return tl::unexpected(found.error());
  co_return Found<T>{*std::move(found), stale};
}

template <class T, class Ask>
asio::awaitable<Result<Found<T>>> find(const RouteContext& context, const Repository& repository,
                                       const ManifestReference& reference, const Ask& ask) {
  if (context.shared != nullptr) {
    co_return co_await find_shared<T>(context, repository, reference, ask);
  }
  const auto own = [&](Wait wait) { return ask(reference, wait); };
  auto found = co_await from_memory_or_disk(context.disk, own);
  if (!found) co_return tl::unexpected(found.error());
  co_return Found<T>{*std::move(found)};
}

asio::awaitable<Response> get(const RouteContext& context, const Repository& repository,
                              const ManifestReference& reference, const Request& request) {
  const auto read = [&](const ManifestReference& which, Wait wait) {
    return context.store.manifests().get(repository, which, wait);
  };
  const auto found = co_await find<Manifests::Stored>(context, repository, reference, read);
  if (!found) co_return manifest_failure(found.error());
  const bool immutable = std::holds_alternative<Digest>(reference);
  auto response = answer_manifest(found->value, request, immutable);
  if (found->stale) mark_stale(response);
  co_return response;
}

asio::awaitable<Response> head(const RouteContext& context, const Repository& repository,
                               const ManifestReference& reference, const Request& request) {
  const auto stat = [&](const ManifestReference& which, Wait wait) {
    return context.store.manifests().stat(repository, which, wait);
  };
  const auto found = co_await find<ManifestInfo>(context, repository, reference, stat);
  if (!found) co_return manifest_failure(found.error());
  const bool immutable = std::holds_alternative<Digest>(reference);
  auto response = describe_manifest(found->value, request, immutable);
  if (found->stale) mark_stale(response);
  co_return response;
}

/// Removes what the reference names, everywhere. Blocking.
Result<void> drop(const RouteContext& context, const Repository& repository,
                  const ManifestReference& reference) {
  const auto* const tag = std::get_if<Tag>(&reference);
  if (auto* const shared = context.shared) {
    return tag != nullptr ? shared->untag(repository, *tag)
                          : shared->remove(repository, std::get<Digest>(reference));
  }
  auto& manifests = context.store.manifests();
  return tag != nullptr ? manifests.untag(repository, *tag)
                        : manifests.remove(repository, std::get<Digest>(reference));
}

asio::awaitable<Response> remove(const RouteContext& context, const Repository& repository,
                                 const ManifestReference& reference) {
  if (!context.config.deletes) co_return deletes_disabled("GET, HEAD, PUT");
  const auto work = [&] { return drop(context, repository, reference); };
  const auto removed = co_await run_on(context.blocking().get_executor(), work);
  if (!removed) co_return manifest_failure(removed.error());
  Response response;
  response.status = 202;
  co_return response;
}

struct Push {
  const Repository& repository;
  const ManifestReference& reference;
  std::string_view content_type;
  std::vector<Tag> tags;        // All that will point at the manifest.
  std::vector<Tag> extra_tags;  // Of those, the ones that came as parameters.
};

Result<std::vector<Tag>> tag_parameters(const Request& request) {
  std::vector<Tag> tags;
  for (const auto text : request.parameters("tag")) {
    auto tag = Tag::parse(text);
    if (!tag) return tl::unexpected(tag.error());
    const bool known = std::find(tags.begin(), tags.end(), *tag) != tags.end();
    if (!known) tags.push_back(*std::move(tag));
  }
  return tags;
}

/// Those of the required digests that the repository does not hold. Blocking.
std::vector<Digest> missing_digests(Store& store, const Repository& repository,
                                    const ManifestFacts& facts) {
  std::vector<Digest> missing;
  for (const auto& wanted : facts.references) {
    if (!wanted.required) continue;
    const bool known = store.blobs().stat(repository, wanted.digest, Wait::yes) ||
                       store.manifests().stat(repository, wanted.digest, Wait::yes);
    const bool listed = std::find(missing.begin(), missing.end(), wanted.digest) != missing.end();
    if (!known && !listed) missing.push_back(wanted.digest);
  }
  return missing;
}

Response describe_push(const Push& push, const Digest& digest, const ParsedManifest& manifest) {
  Response response;
  response.status = 201;
  auto& headers = response.headers;
  headers.add("Location", "/v2/" + push.repository.text() + "/manifests/" + digest.to_string());
  headers.add("Docker-Content-Digest", digest.to_string());
  if (const auto& subject = manifest.facts.subject) {
    headers.add("OCI-Subject", subject->to_string());
  }
  std::string list;
  for (const auto& tag : push.extra_tags) list += (list.empty() ? "" : ", ") + tag.text();
  if (!list.empty()) headers.add("OCI-Tag", list);
  std::size_t warned = 0;
  for (const auto& warning : manifest.warnings) {
    warned += warning.size();
    if (warned <= kWarningBytesMax) headers.add("Warning", "299 - \"" + warning + '"');
  }
  return response;
}

/// Hashes, reads and stores a manifest: the blocking part of a PUT.
Response store_manifest(const RouteContext& context, const Push& push, std::string_view content) {
  auto& store = context.store;
  const auto* const expected = std::get_if<Digest>(&push.reference);
  const auto algorithm = expected == nullptr ? Algorithm::sha256 : expected->algorithm();
  const auto digest = Digest::of(content, algorithm);
  if (expected != nullptr && digest != *expected) {
    return error_response({Errc::digest_invalid, "the manifest's digest is " + digest.to_string() +
                                                     ", not " + expected->to_string()});
  }
  const auto manifest = parse_manifest(content, push.content_type);
  if (!manifest) return error_response(manifest.error());
  const auto& facts = manifest->facts;
  const auto stored =
      context.shared != nullptr
          ? context.shared->push(push.repository, digest, content, facts, push.tags)
          : store.manifests().put(push.repository, digest, content, facts, push.tags);
  if (stored) return describe_push(push, digest, *manifest);
  if (stored.error().code == Errc::manifest_blob_unknown) {
    const auto missing = missing_digests(store, push.repository, facts);
    if (!missing.empty()) return missing_blobs_response(missing);
  }
  return error_response(stored.error());
}

asio::awaitable<Response> put(const RouteContext& context, const Repository& repository,
                              const ManifestReference& reference, Request& request) {
  const auto tags_max = context.config.tags_per_put_max;
  if (request.parameters("tag").size() > tags_max) {
    co_return refusal(414, "more than " + std::to_string(tags_max) + " tags in one request");
  }
  auto tags = tag_parameters(request);
  if (!tags) co_return error_response(tags.error());
  const auto bytes_max = context.config.manifest_bytes_max;
  auto content = co_await read_whole(*request.body, bytes_max);
  if (!content && content.error().code == Errc::too_large) {
    content = fail(Errc::too_large, "manifests may have at most " + std::to_string(bytes_max) +
                                        " bytes here (registry.manifest-max)");
  }
  if (!content) co_return error_response(content.error());

  const auto content_type = request.headers.find("Content-Type").value_or("");
  Push push = {repository, reference, content_type, *tags, *tags};
  if (const auto* const tag = std::get_if<Tag>(&reference)) {
    const bool listed = std::find(tags->begin(), tags->end(), *tag) != tags->end();
    if (!listed) push.tags.push_back(*tag);
  }
  const auto work = [&] { return store_manifest(context, push, *content); };
  co_return co_await run_on(context.blocking().get_executor(), work);
}

}  // namespace

asio::awaitable<Response> serve_manifest(const RouteContext& context, const RegistryPath& path,
                                         Request& request) {
  const bool writes = request.method == Method::put;
  const auto reference = writes ? parse_reference(path.reference) : parse_existing(path.reference);
  if (!reference) co_return error_response(reference.error());
  const auto& repository = *path.repository;
  switch (request.method) {
    case Method::get: co_return co_await get(context, repository, *reference, request);
    case Method::head: co_return co_await head(context, repository, *reference, request);
    case Method::put: co_return co_await put(context, repository, *reference, request);
    case Method::delete_: co_return co_await remove(context, repository, *reference);
    default: co_return method_not_allowed("GET, HEAD, PUT, DELETE");
  }
}

}  // namespace shoal

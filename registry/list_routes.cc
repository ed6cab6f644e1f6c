#include "registry/list_routes.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "registry/disk.h"
#include "registry/error_response.h"
#include "registry/paging.h"
#include "registry/shared_images.h"
#include "registry/stale.h"

namespace shoal {
namespace {

using Json = nlohmann::ordered_json;

bool reads(const Request& request) {
  return request.method == Method::get || request.method == Method::head;
}

Response json_response(const Json& document) {
  Response response;
  response.headers.add("Content-Type", "application/json");
  response.body = document.dump();
  return response;
}

/// A page of names under `key` of `document`, with a Link when there are more.
Response list_response(Json document, const char* key, std::vector<std::string> names, bool more,
                       const std::string& path, std::uint64_t limit) {
  std::string last;
  if (more && !names.empty()) last = names.back();
  document[key] = std::move(names);
  auto response = json_response(document);
  if (!last.empty()) response.headers.add("Link", next_page_link(path, limit, last));
  return response;
}

}  // namespace

asio::awaitable<Response> serve_tags(const RouteContext& context, const RegistryPath& path,
                                     Request& request) {
  if (!reads(request)) co_return method_not_allowed("GET, HEAD");
  const auto entries_max = context.config.page_entries_max;
  const auto page = parse_page(request, entries_max, entries_max);
  if (!page) co_return error_response(page.error());
  const auto& repository = *path.repository;
  // Asked for no entries, the store is still asked for one: does the repository exist?
  const auto limit = static_cast<std::size_t>(std::max<std::uint64_t>(page->limit, 1));
  using Tags = SharedImages::Listed<Manifests::TagEntry>;
  const auto read = [&]() -> Result<Tags> {
    if (context.shared != nullptr) return context.shared->tags(repository, page->after, limit);
    auto own = context.store.manifests().tags(repository, page->after, limit);
    if (!own) return tl::unexpected(own.error());
    return Tags{*std::move(own)};
  };
  const auto found = co_await run_on(context.blocking().get_executor(), read);
  if (!found) co_return error_response(found.error());

  std::vector<std::string> names;
  if (page->limit > 0) {
    names.reserve(found->page.entries.size());
    for (const auto& entry : found->page.entries) names.push_back(entry.tag);
  }
  const Json document = {{"name", repository.text()}};
  auto response = list_response(document, "tags", std::move(names), found->page.more,
                                "/v2/" + repository.text() + "/tags/list", page->limit);
  if (found->stale) mark_stale(response);
  co_return response;
}

asio::awaitable<Response> serve_catalog(const RouteContext& context, Request& request) {
  if (!reads(request)) co_return method_not_allowed("GET, HEAD");
  const auto& config = context.config;
  const auto page = parse_page(request, config.catalog_page_default, config.page_entries_max);
  if (!page) co_return error_response(page.error());
  using Names = SharedImages::Listed<std::string>;
  Names found;
  if (page->limit > 0) {
    const auto limit = static_cast<std::size_t>(page->limit);
    const auto read = [&]() -> Result<Names> {
      if (context.shared != nullptr) return context.shared->repositories(page->after, limit);
      auto own = context.store.manifests().repositories(page->after, limit);
      if (!own) return tl::unexpected(own.error());
      return Names{*std::move(own)};
    };
    auto list = co_await run_on(context.blocking().get_executor(), read);
    if (!list) co_return error_response(list.error());
    found = *std::move(list);
  }
  auto response = list_response(Json::object(), "repositories", std::move(found.page.entries),
                                found.page.more, "/v2/_catalog", page->limit);
  if (found.stale) mark_stale(response);
  co_return response;
}

Response serve_extensions(const Request& request) {
  if (!reads(request)) return method_not_allowed("GET, HEAD");
  const Json discover = {
      {"name", "_oci"},
      {"url", "https://github.com/opencontainers/distribution-spec/blob/main/extensions/_oci.md"},
      {"description", "Lists the extensions of this registry"},
      {"endpoints", Json::array({"_oci/ext/discover"})}};
  const Json catalog = {{"name", "_catalog"},
                        {"url", "https://distribution.github.io/distribution/spec/api/"},
                        {"description", "Lists the repositories of this registry"},
                        {"endpoints", Json::array({"_catalog"})}};
  const Json own = {{"name", "_shoal"},
                    {"url", "/shoal/v1/version"},
                    {"description", "This node's own API, beside /v2/"},
                    {"endpoints", Json::array({"/shoal/v1/events", "/shoal/v1/images"})}};
  return json_response({{"extensions", Json::array({discover, catalog, own})}});
}

}  // namespace shoal

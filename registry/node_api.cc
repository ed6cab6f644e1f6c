#include "registry/node_api.h"

#include <algorithm>
#include <optional>
#include <vector>

#include <nlohmann/json.hpp>

#include "registry/disk.h"
#include "registry/error_response.h"
#include "registry/paging.h"
#include "registry/stale.h"
#include "storage/number.h"

namespace shoal {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kPrefix = "/shoal/v1/";
constexpr std::uint64_t kImagesDefault = 100;
constexpr std::uint64_t kImagesMax = 1000;
constexpr std::uint64_t kRepositoriesDefault = 20;
constexpr std::uint64_t kRepositoriesMax = 200;

Response json_response(std::string text) {
  Response response;
  response.headers.add("Content-Type", "application/json");
  response.headers.add("Cache-Control", "no-store");
  response.body = std::move(text);
  return response;
}

Response json_response(const Result<std::string>& text) {
  return text ? json_response(*text) : error_response(text.error());
}

Response json_response(const Result<NodeImages::Answer>& answer) {
  if (!answer) return error_response(answer.error());
  auto response = json_response(answer->json);
  if (answer->stale) mark_stale(response);
  return response;
}

/// Unlike the registry API's lists, one of these has at least one entry: it leads on by its last.
Result<PageRequest> parse_node_page(const Request& request, std::uint64_t otherwise,
                                    std::uint64_t max) {
  auto page = parse_page(request, otherwise, max);
  if (page && page->limit == 0) return fail(Errc::page_invalid, "`n` must not be 0");
  return page;
}

bool reads(const Request& request) {
  return request.method == Method::get || request.method == Method::head;
}

std::string to_json(const CollectReport& report) {
  return Json{{"examined", report.examined},
              {"manifests_dropped", report.manifests_dropped},
              {"blobs_dropped", report.blobs_dropped},
              {"bytes_freed", report.bytes_freed},
              {"kept_by_lease", report.kept_by_lease},
              {"evicted", report.evicted},
              {"waiting", report.waiting}}
      .dump();
}

std::string to_json(const ScrubReport& report) {
  Json quarantined = Json::array();
  for (const Digest& digest : report.quarantined) quarantined.push_back(digest.to_string());
  return Json{{"blobs", report.blobs},
              {"bytes", report.bytes},
              {"blobs_total", report.blobs_total},
              {"bytes_total", report.bytes_total},
              {"quarantined", std::move(quarantined)},
              {"complete", report.complete}}
      .dump();
}

}  // namespace

NodeApi::NodeApi(Store& store, asio::thread_pool& disk, std::string version)
    : NodeApi(store, disk, std::move(version), nullptr, disk) {}

NodeApi::NodeApi(Store& store, asio::thread_pool& disk, std::string version, Elsewhere* elsewhere,
                 asio::thread_pool& remote)
    : store_(store),
      disk_(disk),
      shared_(elsewhere == nullptr ? nullptr : std::make_unique<SharedImages>(store, *elsewhere)),
      blocking_(elsewhere == nullptr ? disk : remote),
      version_(std::move(version)),
      images_(store, shared_.get()),
      events_(store.events(), disk) {}

asio::awaitable<Response> NodeApi::serve(Request& request) {
  std::string_view path = request.path;
  path.remove_prefix(std::min(path.size(), kPrefix.size()));
  if (path == "gc" || path == "scrub") {
    if (request.method != Method::post) co_return method_not_allowed("POST");
    co_return path == "gc" ? collect(request) : scrub(request);
  }
  if (path == "images" && request.method == Method::delete_) {
    co_return co_await inspect_or_remove(request, true);
  }
  const bool known = path == "version" || path == "status" || path == "images" ||
                     path == "images/inspect" || path == "usage" || path == "events";
  if (!known) co_return refusal(404, "there is no " + request.path + " in this version of the API");
  if (!reads(request))
    co_return method_not_allowed(path == "images" ? "GET, HEAD, DELETE" : "GET, HEAD");

  if (path == "version") co_return json_response(Json{{"version", version_}, {"api", 1}}.dump());
  if (path == "status") co_return json_response(status());
  if (path == "images") co_return co_await list_images(request);
  if (path == "images/inspect") co_return co_await inspect_or_remove(request, false);
  if (path == "usage") co_return co_await usage(request);
  co_return co_await events_.open(request);
}

void NodeApi::stop() {
  events_.stop();
  collection_.stop();
  scrub_.stop();
}

asio::awaitable<Response> NodeApi::list_images(Request& request) {
  const auto page = parse_node_page(request, kImagesDefault, kImagesMax);
  if (!page) co_return error_response(page.error());
  std::optional<std::string> repository;
  if (const auto text = request.parameter("repository")) repository = *text;
  const auto work = [&] { return images_.list(repository, page->after, page->limit); };
  const auto answer = co_await run_on(blocking_.get_executor(), work);
  co_return json_response(answer);
}

asio::awaitable<Response> NodeApi::inspect_or_remove(Request& request, bool remove) {
  const auto name = ImageName::parse(request.parameter("name").value_or(""));
  if (!name) co_return error_response(name.error());
  const auto pool = blocking_.get_executor();
  if (remove) {
    const auto work = [&] { return images_.remove(*name); };
    const auto answer = co_await run_on(pool, work);
    co_return json_response(answer);
  }
  const auto work = [&] { return images_.inspect(*name); };
  const auto answer = co_await run_on(pool, work);
  co_return json_response(answer);
}

asio::awaitable<Response> NodeApi::usage(Request& request) {
  const auto page = parse_node_page(request, kRepositoriesDefault, kRepositoriesMax);
  if (!page) co_return error_response(page.error());
  const auto work = [&] { return images_.usage(page->after, page->limit); };
  const auto answer = co_await on_disk(disk_, work);
  co_return json_response(answer);
}

Response NodeApi::collect(Request& request) {
  const bool now = request.parameter("now") == "true";
  auto job = [this, now](const LongRun::Report& report,
                         const std::atomic<bool>& stop) -> Result<std::string> {
    const auto progress = [&](const CollectReport& so_far) { report(to_json(so_far)); };
    const auto done = store_.collector().collect(now, progress, &stop);
    if (!done) return tl::unexpected(done.error());
    return to_json(*done);
  };
  auto response = collection_.start(std::move(job), request.executor);
  if (!response) return error_response(response.error());
  return *std::move(response);
}

Response NodeApi::scrub(Request& request) {
  const auto text = request.parameter("rate");
  const auto rate = text ? parse_number(*text) : std::optional<std::uint64_t>(0);
  if (!rate)
    return error_response({Errc::page_invalid, "`rate` is not a number of bytes a second"});
  auto job = [this, rate = *rate](const LongRun::Report& report,
                                  const std::atomic<bool>& stop) -> Result<std::string> {
    const auto progress = [&](const ScrubReport& so_far) { report(to_json(so_far)); };
    const auto done = store_.scrubber().run(rate, progress, &stop);
    if (!done) return tl::unexpected(done.error());
    return to_json(*done);
  };
  auto response = scrub_.start(std::move(job), request.executor);
  if (!response) return error_response(response.error());
  return *std::move(response);
}

std::string NodeApi::status() const {
  const Usage usage = store_.usage();
  const auto uptime = std::chrono::steady_clock::now() - started_;
  return Json{{"version", version_},
              {"uptime_seconds", std::chrono::duration_cast<std::chrono::seconds>(uptime).count()},
              {"last_event", store_.events().last()},
              {"blobs", usage.blobs},
              {"stored_bytes", usage.stored_bytes},
              {"disk_free_bytes", usage.disk_free_bytes},
              {"quarantined", usage.quarantined}}
      .dump();
}

}  // namespace shoal

#include "p2p/directory_routes.h"

#include <chrono>
#include <string>
#include <utility>

#include "registry/http/text_response.h"
#include "registry/http/whole_body.h"
#include "storage/run_on.h"

namespace shoal {
namespace {

constexpr std::string_view kAnnounce = "/cluster/v1/directory/announce";
constexpr std::string_view kLookup = "/cluster/v1/directory/lookup";

Response answer(std::string body) {
  Response response;
  response.headers.add("Content-Type", "application/octet-stream");
  response.body = std::move(body);
  return response;
}

Response serve_announce(DirectoryTable& table, const std::string& peer, std::string_view body) {
  const auto message = parse_announce(body);
  if (!message) return text_response(400, message.error().message);
  if (message->holder != peer) {
    return text_response(
        403, "node " + peer + " cannot announce what node " + message->holder + " holds");
  }
  return answer(encode(table.apply(*message, std::chrono::steady_clock::now())));
}

Response serve_lookup(DirectoryTable& table, const std::string& peer, std::string_view body) {
  const auto message = parse_lookup(body);
  if (!message) return text_response(400, message.error().message);
  return answer(encode(table.lookup(message->digests, message->fetches ? peer : std::string())));
}

}  // namespace

DirectoryRoutes::DirectoryRoutes(DirectoryTable& table, asio::thread_pool& pool)
    : table_(table), pool_(pool) {}

bool DirectoryRoutes::serves(std::string_view path) { return path == kAnnounce || path == kLookup; }

asio::awaitable<Response> DirectoryRoutes::handle(Request& request) {
  if (request.peer.empty())
    co_return text_response(403, "the directory is for nodes of this cluster");
  if (request.method != Method::post) {
    auto response = text_response(405, "the directory takes POST");
    response.headers.add("Allow", "POST");
    co_return response;
  }
  const auto body = co_await read_whole(*request.body, kDirectoryBodyBytesMax);
  if (!body && body.error().code == Errc::too_large)
    co_return text_response(413, body.error().message);
  if (!body) co_return text_response(400, body.error().message);
  const auto work = [&] {
    return request.path == kAnnounce ? serve_announce(table_, request.peer, *body)
                                     : serve_lookup(table_, request.peer, *body);
  };
  co_return co_await run_on(pool_.get_executor(), work);
}

}  // namespace shoal

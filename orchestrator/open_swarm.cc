#include "orchestrator/open_swarm.h"

#include <atomic>
#include <chrono>
#include <string>
#include <utility>

#include <nlohmann/json.hpp>

#include "registry/error_response.h"
#include "registry/http/whole_body.h"

namespace shoal {
namespace {

constexpr std::string_view kAnnounce = "/announce";
constexpr std::uint64_t kFileBytesMax = 8 << 20;
constexpr std::chrono::milliseconds kReportEvery{200};

std::string to_json(const Digest& digest, std::uint64_t bytes, std::uint64_t arrived_bytes) {
  return nlohmann::ordered_json{
      {"digest", digest.to_string()}, {"bytes", bytes}, {"arrived_bytes", arrived_bytes}}
      .dump();
}

/// `host`: where the client reached this node; so it will reach the tracker, too.
std::string tracker_url(std::string_view host, const Digest& digest) {
  return "http://" + std::string(host) + std::string(kTorrentFilesPath) + '/' + digest.to_string() +
         std::string(kAnnounce);
}

}  // namespace

asio::awaitable<Response> OpenSwarm::serve(Request& request) {
  if (!open_) {
    co_return error_response({Errc::unsupported,
                              "only nodes take part in the swarm; --swarm-open 127.0.0.1:6881 lets "
                              "every client of BitTorrent on this host in"});
  }
  if (!request.remote.starts_with("127.")) {
    co_return error_response({Errc::denied,
                              "this is for clients on the node's own host, by an "
                              "address such as 127.0.0.1"});
  }
  std::string_view rest = request.path;
  rest.remove_prefix(kTorrentFilesPath.size());
  if (rest.empty()) {
    if (request.method != Method::post) co_return method_not_allowed("POST");
    co_return co_await fetch(request);
  }
  if (request.method != Method::get) co_return method_not_allowed("GET");
  rest.remove_prefix(1);
  const bool announces = rest.ends_with(kAnnounce);
  if (announces) rest.remove_suffix(kAnnounce.size());
  const auto digest = Digest::parse(rest);
  if (!digest) co_return error_response(digest.error());
  if (announces) co_return co_await announce(request, *digest);
  co_return co_await file(request, *digest);
}

asio::awaitable<Response> OpenSwarm::file(const Request& request, const Digest& digest) {
  const auto host = request.headers.find("Host");
  if (!host) co_return error_response({Errc::bad_request, "the request has no Host"});
  const auto torrent = co_await swarm_.torrent(digest);
  if (!torrent) co_return error_response(torrent.error());
  Response response;
  response.headers.add("Content-Type", "application/x-bittorrent");
  response.body = torrent->file(tracker_url(*host, digest));
  co_return response;
}

/// Clients understand a bencoded failure, not a status.
asio::awaitable<Response> OpenSwarm::announce(const Request& request, const Digest& digest) {
  Response response;
  response.headers.add("Content-Type", "text/plain");
  const auto said = TrackerAnnounce::parse(request);
  if (!said) {
    response.body = Tracker::failure(said.error().message);
    co_return response;
  }
  const Tracker::Client client{request.remote.substr(0, request.remote.rfind(':')), said->port};
  const auto answer = co_await swarm_.announce(digest, *said, client);
  response.body = answer ? *answer : Tracker::failure(answer.error().message);
  co_return response;
}

asio::awaitable<Response> OpenSwarm::fetch(Request& request) {
  const auto repository = Repository::parse(request.parameter("repository").value_or(""));
  if (!repository) co_return error_response(repository.error());
  const auto body = co_await read_whole(*request.body, kFileBytesMax);
  if (!body) co_return error_response(body.error());
  const auto file = TorrentFile::parse(*body);
  if (!file) co_return error_response(file.error());
  const auto job = [this, repository = *repository, file = *file](const LongRun::Report& report,
                                                                  const std::atomic<bool>& stop) {
    return fetch(repository, file, report, stop);
  };
  auto run = fetch_.start(job, request.executor);
  if (!run) co_return error_response(run.error());
  co_return *std::move(run);
}

Result<std::string> OpenSwarm::fetch(const Repository& repository, const TorrentFile& file,
                                     const LongRun::Report& report, const std::atomic<bool>& stop) {
  const auto& digest = file.torrent.digest;
  const auto size = file.torrent.size;
  report(to_json(digest, size, 0));
  const auto transfer = swarm_.join(repository, file);
  if (!transfer) return tl::unexpected(transfer.error());
  // It goes on when the client has left; nothing needs to stop but this.
  while (*transfer) {
    const auto ended = (*transfer)->wait_for(kReportEvery);
    if (ended && !*ended) return tl::unexpected(ended->error());
    if (ended) break;
    report(to_json(digest, size, (*transfer)->arrival()->arrived_bytes()));
    if (stop) return fail(Errc::unavailable, "nobody waits for it any more");
  }
  // It was here, or came for another repository.
  const auto linked = store_.blobs().mount(repository, digest, std::nullopt);
  if (!linked) return tl::unexpected(linked.error());
  return to_json(digest, size, size);
}

}  // namespace shoal

#include "p2p/swarm/torrent_claims.h"

#include <utility>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

namespace shoal {
namespace {

constexpr std::uint64_t kTorrentBytesMax = 8 << 20;
constexpr unsigned kAskedMax = 8;

}  // namespace

Result<std::optional<Torrent>> TorrentClaims::ask(const std::string& peer, const Digest& digest) {
  const auto target = std::string(kTorrentsPath) + digest.to_string();
  const auto answer = clients_.send(peer, "GET", target, {}, {}, kTorrentBytesMax);
  if (!answer) return tl::unexpected(answer.error());
  if (answer->status == 204) return std::nullopt;
  if (answer->status == 404) {
    return fail(Errc::blob_unknown, fmt::format("node {} does not hold it", peer));
  }
  if (answer->status != 200) {
    return fail(Errc::unavailable, fmt::format("node {} answered {}", peer, answer->status));
  }
  auto torrent = Torrent::parse(digest, answer->body);
  if (torrent) return *std::move(torrent);
  spdlog::warn("not a torrent peer={} digest={} error=\"{}\"", peer, digest.to_string(),
               torrent.error().message);
  barred_.bar(peer, barred_for_);
  return tl::unexpected(torrent.error());
}

Result<std::optional<TorrentClaim>> TorrentClaims::of(const Digest& digest,
                                                      const Directory::Found& found) {
  if (const auto begun = store_.arrivals().find(digest)) {
    auto torrent = Torrent::parse(digest, begun->attachment);
    if (torrent) return TorrentClaim{*std::move(torrent), ""};
  }
  auto peers = found.holders;
  peers.insert(peers.end(), found.fetchers.begin(), found.fetchers.end());
  std::string reasons;
  bool unknown = found.sure;
  unsigned asked = 0;
  for (const auto& peer : peers) {
    if (barred_.contains(peer)) {
      reasons += fmt::format("; node {} is not asked, since it gave wrong content", peer);
      unknown = false;
      continue;
    }
    if (asked++ == kAskedMax) {
      unknown = false;
      break;
    }
    auto torrent = ask(peer, digest);
    if (torrent && !*torrent) return std::nullopt;
    if (torrent) return TorrentClaim{**std::move(torrent), peer};
    unknown = unknown && torrent.error().code == Errc::blob_unknown;
    reasons += "; " + torrent.error().message;
  }
  return fail(unknown ? Errc::blob_unknown : Errc::unavailable,
              fmt::format("no node gave a torrent of {}{}", digest.to_string(), reasons));
}

}  // namespace shoal

#include "p2p/swarm/torrent_claims.h"

#include <utility>
#include <vector>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

namespace shoal {
namespace {

constexpr std::uint64_t kTorrentBytesMax = 8 << 20;
constexpr unsigned kAskedMax = 8;
constexpr std::chrono::seconds kPatience{20};  // Longer than it takes to make one of a few GiB.

}  // namespace

Result<std::string> TorrentClaims::read(PeerStream& stream, const std::string& peer) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  std::string body;
  std::vector<char> buffer(64 << 10);
  for (;;) {
    const auto count = stream.read(buffer);
    if (!count) return tl::unexpected(count.error());
    if (*count == 0) return body;
    body.append(buffer.data(), *count);
    if (body.size() > kTorrentBytesMax) {
      return fail(Errc::too_large, fmt::format("node {} gives more than a torrent", peer));
    }
    // A byte now and then is no progress.
    if (std::chrono::steady_clock::now() > deadline) {
      return fail(Errc::timed_out, fmt::format("node {} takes too long for a torrent", peer));
    }
  }
}

Result<std::optional<Torrent>> TorrentClaims::ask(const std::string& peer, const Digest& digest) {
  const auto target = std::string(kTorrentsPath) + digest.to_string();
  const auto stream = clients_.open(peer, "GET", target);
  if (!stream) return tl::unexpected(stream.error());
  const auto status = (*stream)->head().status;
  const auto body = read(**stream, peer);
  if (!body) return tl::unexpected(body.error());
  if (status == 204) return std::nullopt;
  if (status == 404) {
    return fail(Errc::blob_unknown, fmt::format("node {} does not hold it", peer));
  }
  if (status != 200) {
    return fail(Errc::unavailable, fmt::format("node {} answered {}", peer, status));
  }
  auto torrent = Torrent::parse(digest, *body);
  if (torrent && torrent->kind() != kind_) {
    return fail(Errc::unavailable,
                fmt::format("node {} has another kind of torrents (swarm.open)", peer));
  }
  if (torrent) return *std::move(torrent);
  spdlog::warn("not a torrent peer={} digest={} error=\"{}\"", peer, digest.to_string(),
               torrent.error().message);
  barred_.bar(peer, barred_for_);
  return tl::unexpected(torrent.error());
}

Result<std::optional<TorrentClaim>> TorrentClaims::of(const Digest& digest,
                                                      const Directory::Found& found) {
  const bool nobody = found.sure && found.holders.empty() && found.fetchers.empty();
  if (const auto begun = store_.arrivals().find(digest); begun && !nobody) {
    auto torrent = Torrent::parse(digest, begun->attachment);
    if (torrent && torrent->kind() == kind_) return TorrentClaim{*std::move(torrent), "", true};
  }
  auto peers = found.holders;
  peers.insert(peers.end(), found.fetchers.begin(), found.fetchers.end());
  std::string reasons;
  bool unknown = found.sure;
  unsigned asked = 0;
  for (std::size_t index = 0; index < peers.size(); ++index) {
    const auto& peer = peers[index];
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
    if (torrent) return TorrentClaim{**std::move(torrent), peer, index < found.holders.size()};
    unknown = unknown && torrent.error().code == Errc::blob_unknown;
    reasons += "; " + torrent.error().message;
  }
  return fail(unknown ? Errc::blob_unknown : Errc::unavailable,
              fmt::format("no node gave a torrent of {}{}", digest.to_string(), reasons));
}

}  // namespace shoal

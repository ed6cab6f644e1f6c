#include "p2p/swarm/ended.h"

#include <algorithm>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "p2p/swarm/transfers.h"

namespace shoal {
namespace {

constexpr double kBestTooShort = 2000;  // ms: rates are known by the second.

}  // namespace

SwarmEnded ended_now(const SwarmGoing& of, const std::optional<SwarmSession::Counts>& counts,
                     const SwarmTunnels& tunnels, const Result<void>& how) {
  const auto& transfer = *of.transfer;
  SwarmEnded ended{transfer.torrent().digest};
  ended.repository = transfer.repository().text();
  ended.of_class = transfer.of_class();
  ended.bytes = transfer.torrent().size;
  ended.arrived_bytes = transfer.arrival()->arrived_bytes();
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::steady_clock::now() - transfer.started());
  ended.took = std::max(took, std::chrono::milliseconds(1));
  if (const auto best_rate = of.best_rate.load(); best_rate > 0) {
    const double best_ms = static_cast<double>(ended.bytes) * 1000 / static_cast<double>(best_rate);
    const double over = static_cast<double>(ended.took.count()) / best_ms;
    if (best_ms > kBestTooShort) ended.over_best = std::max(1.0, over);
  }
  for (const auto& peer : counts ? counts->peers : std::vector<SwarmSession::PeerCounts>()) {
    const auto node = tunnels.peer_at(peer.address).value_or(peer.address);
    if (peer.received_bytes > 0) ended.sources.emplace_back(node, peer.received_bytes);
    if (peer.wrong_pieces == 0) continue;
    spdlog::warn("wrong pieces received digest={} peer={} pieces={}", ended.digest.to_string(),
                 node, peer.wrong_pieces);
  }
  if (of.https_bytes > 0) ended.sources.emplace_back("https", of.https_bytes);
  if (!how) ended.error = how.error();
  return ended;
}

void log_end(const SwarmEnded& ended) {
  std::string sources;
  for (const auto& [source, bytes] : ended.sources) {
    sources += fmt::format("{}{}:{}", sources.empty() ? "" : ",", source, bytes);
  }
  const auto took = ended.took.count();
  if (ended.error) {
    spdlog::warn("blob not fetched digest={} bytes={} of={} from={} ms={} error=\"{}\"",
                 ended.digest.to_string(), ended.arrived_bytes, ended.bytes, sources, took,
                 ended.error->message);
    return;
  }
  spdlog::info(
      "blob fetched digest={} bytes={} from={} ms={} mbit_per_s={:.1f} over_best={:.2f}"
      " class={}",
      ended.digest.to_string(), ended.bytes, sources, took,
      static_cast<double>(ended.bytes) * 8 / 1000 / static_cast<double>(took), ended.over_best,
      to_string(ended.of_class));
}

}  // namespace shoal

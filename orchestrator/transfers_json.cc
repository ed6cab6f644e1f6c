#include "orchestrator/transfers_json.h"

#include <chrono>
#include <map>

#include <nlohmann/json.hpp>

namespace shoal {
namespace {

using Json = nlohmann::ordered_json;
using Names = std::map<std::string, std::string>;  // By id.

constexpr std::chrono::milliseconds kStalled{2000};  // As SwarmTransfersConfig::stall.

Names names_of(const std::vector<NodeView>& members) {
  Names names;
  for (const auto& view : members) {
    const auto name = view.member.labels.find("name");
    if (name != view.member.labels.end()) names.emplace(view.member.id, name->second);
  }
  return names;
}

/// The object that what is known of the node's part is added to.
Json node_json(const std::string& id, const Names& names) {
  Json node{{"node", id}};
  const auto name = names.find(id);
  if (name != names.end()) node["name"] = name->second;
  return node;
}

Json peer_json(const Swarm::PeerView& peer, const Names& names) {
  Json json = node_json(peer.node, names);
  json["received_bytes"] = peer.received_bytes;
  json["sent_bytes"] = peer.sent_bytes;
  json["receive_rate"] = peer.receive_rate;
  json["send_rate"] = peer.send_rate;
  json["pieces"] = peer.pieces;
  json["connected"] = peer.connected;
  return json;
}

Json view_json(const Swarm::View& view, const Names& names) {
  const bool misses = view.arriving && view.arrived_bytes < view.bytes;
  const bool stalled = misses && view.still >= kStalled;
  Json eta = nullptr;
  // The rate of a transfer that has stalled is what is left of its past.
  if (misses && !stalled && view.receive_rate > 0) {
    eta = static_cast<double>(view.bytes - view.arrived_bytes) /
          static_cast<double>(view.receive_rate);
  }
  Json peers = Json::array();
  for (const auto& peer : view.peers) peers.push_back(peer_json(peer, names));
  return {{"digest", view.digest.to_string()},
          {"repository", view.repository},
          {"class", view.arriving ? Json(to_string(view.of_class)) : Json(nullptr)},
          {"arriving", view.arriving},
          {"bytes", view.bytes},
          {"arrived_bytes", view.arrived_bytes},
          {"pieces", view.pieces},
          {"arrived_pieces", view.arrived_pieces},
          {"receive_rate", view.receive_rate},
          {"send_rate", view.send_rate},
          {"redundant_bytes", view.redundant_bytes},
          {"wrong_bytes", view.wrong_bytes},
          {"age_ms", view.age.count()},
          {"still_ms", view.still.count()},
          {"stalled", stalled},
          {"eta_s", std::move(eta)},
          {"peers", std::move(peers)}};
}

Json ended_json(const SwarmEnded& ended, const Names& names) {
  Json sources = Json::array();
  for (const auto& [node, bytes] : ended.sources) {
    Json source = node_json(node, names);
    source["bytes"] = bytes;
    sources.push_back(std::move(source));
  }
  const bool compares = !ended.error && ended.over_best > 0;
  return {{"digest", ended.digest.to_string()},
          {"repository", ended.repository},
          {"class", to_string(ended.of_class)},
          {"bytes", ended.bytes},
          {"arrived_bytes", ended.arrived_bytes},
          {"ms", ended.took.count()},
          {"over_best", compares ? Json(ended.over_best) : Json(nullptr)},
          {"sources", std::move(sources)},
          {"error", ended.error ? Json(ended.error->message) : Json(nullptr)}};
}

Json totals_json(const Swarm::Totals& totals) {
  const auto& transfers = totals.transfers;
  return {{"now", transfers.now},
          {"finished", transfers.finished},
          {"finished_bytes", transfers.finished_bytes},
          {"failed", transfers.failed},
          {"wrong", transfers.wrong},
          {"https_bytes", transfers.https_bytes},
          {"torrents", totals.torrents},
          {"tunnels", totals.tunnels},
          {"received_bytes", totals.received_bytes},
          {"sent_bytes", totals.sent_bytes},
          {"waiting_bytes", totals.waiting_bytes},
          {"lent_bytes", totals.lent_bytes}};
}

}  // namespace

std::string to_json(const TransfersStatus& status) {
  const auto names = names_of(status.members);
  Json now = Json::array();
  for (const auto& view : status.now) now.push_back(view_json(view, names));
  Json ended = Json::array();
  for (const auto& transfer : status.ended) ended.push_back(ended_json(transfer, names));
  const Json document{
      {"now", std::move(now)}, {"ended", std::move(ended)}, {"totals", totals_json(status.totals)}};
  // An error may quote what another node said.
  return document.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace shoal

#include "orchestrator/cluster_status.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "orchestrator/membership/membership_api.h"

namespace shoal {
namespace {

using Json = nlohmann::ordered_json;

Json leader_json(const ClusterStatus& status) {
  if (!status.standing.leader) return nullptr;
  const auto& id = *status.standing.leader;
  const auto view = std::find_if(status.members.begin(), status.members.end(),
                                 [&](const NodeView& node) { return node.member.id == id; });
  return {{"id", id}, {"name", view == status.members.end() ? id : name_of(view->member)}};
}

}  // namespace

std::string to_json(const ClusterStatus& status) {
  Json members = Json::array();
  for (const auto& view : status.members) members.push_back(Json::parse(to_json(view)));
  const auto& replicas = status.replicas;
  const auto& transfers = status.transfers;
  return Json{{"alone", false},
              {"cluster", status.cluster},
              {"node", status.node},
              {"state", {{"driver", status.state}, {"available", status.state_available}}},
              {"leader", leader_json(status)},
              {"replicas",
               {{"wanted", replicas.wanted},
                {"images", replicas.images},
                {"short", replicas.short_here},
                {"copies", replicas.copies},
                {"checked", replicas.checked}}},
              {"transfers",
               {{"now", transfers.transfers},
                {"stored", transfers.stored},
                {"bytes", transfers.bytes},
                {"wrong", transfers.wrong}}},
              {"members", std::move(members)}}
      .dump();
}

std::string to_json(const MigrateProgress& progress) {
  return Json{{"keys", progress.keys}, {"total", progress.total}}.dump();
}

std::string to_json(const MigrateReport& report) {
  return Json{{"keys", report.keys},
              {"bytes", report.bytes},
              {"late", report.late},
              {"done_before", report.done_before}}
      .dump();
}

}  // namespace shoal

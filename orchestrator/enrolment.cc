#include "orchestrator/enrolment.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <nlohmann/json.hpp>

#include "orchestrator/state/state_url.h"
#include "orchestrator/trust/node_id.h"
#include "orchestrator/trust/private_file.h"

namespace shoal {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kStateFile = "state.json";

Result<StateLocation> load_state_location(const std::filesystem::path& folder) {
  const auto path = folder / kStateFile;
  const auto text = read_private_file(path);
  if (!text) return tl::unexpected(text.error());
  const Json json = Json::parse(*text, nullptr, false);
  StateLocation location;
  try {
    location.driver = json.at("driver").get<std::string>();
    location.endpoints = json.at("endpoints").get<std::vector<std::string>>();
    location.peer = json.value("peer", "");
  } catch (const Json::exception&) {
    return fail(Errc::corrupt, fmt::format("{} does not say where the state is", path.string()));
  }
  return location;
}

/// The authority file, if this node has it.
Result<std::optional<Authority>> load_authority(const std::filesystem::path& folder) {
  auto authority = Authority::load(folder);
  if (authority) return std::optional<Authority>(*std::move(authority));
  if (authority.error().code == Errc::member_unknown) return std::optional<Authority>();
  return tl::unexpected(authority.error());
}

Result<Enrolment> create(const ClusterConfig& config, const std::filesystem::path& folder,
                         Member& self) {
  auto authority = Authority::load_or_create(folder);
  if (!authority) return tl::unexpected(authority.error());
  const auto url = parse_state_url(config.state.url);
  if (!url) return tl::unexpected(url.error());
  const auto id = make_node_id();
  if (!id) return tl::unexpected(id.error());
  self.id = *id;
  auto identity = NodeIdentity::issue(*authority, *id, config.certificate_lifetime);
  if (!identity) return tl::unexpected(identity.error());

  StateLocation location{"embedded", self.urls, self.id};
  if (!url->embedded) location = {"etcd", {url->text()}, ""};
  // The identity last: until it is there, the next start creates anew.
  if (auto saved = save_state_location(folder, location); !saved) {
    return tl::unexpected(saved.error());
  }
  if (auto saved = identity->save(folder); !saved) return tl::unexpected(saved.error());
  spdlog::info("cluster created cluster={} node={} state={}", identity->cluster_id, self.id,
               location.driver);
  return Enrolment{*std::move(identity), *std::move(authority), location, true};
}

Result<Enrolment> join_cluster(const ClusterConfig& config, const std::filesystem::path& folder,
                               Member& self) {
  if (config.token.empty()) {
    return fail(Errc::usage,
                "join needs a token: `shoal token create` on a member of the cluster prints one");
  }
  auto joined = join({config.join, config.token, self, folder});
  if (!joined) return tl::unexpected(joined.error());
  if (auto saved = save_state_location(folder, joined->state); !saved) {
    return tl::unexpected(saved.error());
  }
  self.id = joined->identity.node_id;
  spdlog::info("cluster joined cluster={} node={} members={}", joined->identity.cluster_id, self.id,
               joined->members.size());
  return Enrolment{std::move(joined->identity), std::nullopt, joined->state, true};
}

}  // namespace

Result<void> save_state_location(const std::filesystem::path& folder,
                                 const StateLocation& location) {
  const Json json = {
      {"driver", location.driver}, {"endpoints", location.endpoints}, {"peer", location.peer}};
  return write_private_file(folder / kStateFile, json.dump(2) + "\n");
}

Result<Enrolment> enrol(const ClusterConfig& config, const std::filesystem::path& folder,
                        Member& self) {
  auto identity = NodeIdentity::load(folder);
  if (!identity && identity.error().code != Errc::member_unknown) {
    return tl::unexpected(identity.error());
  }
  const auto location = load_state_location(folder);
  // A join whose answer was saved half: the rest is asked for again, with the same key.
  const bool whole = identity && location;
  if (!whole && !config.join.empty()) return join_cluster(config, folder, self);
  if (!identity) return create(config, folder, self);
  if (!location) return tl::unexpected(location.error());

  auto authority = load_authority(folder);
  if (!authority) return tl::unexpected(authority.error());
  self.id = identity->node_id;
  if (!config.token.empty()) {
    spdlog::info("join and token are not needed any more: this node is a member cluster={} node={}",
                 identity->cluster_id, self.id);
  }
  return Enrolment{*std::move(identity), *std::move(authority), *location, false};
}

}  // namespace shoal

#include "orchestrator/membership/membership_api.h"

#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "orchestrator/membership/member_changes.h"
#include "orchestrator/membership/messages.h"
#include "registry/disk.h"
#include "registry/error_response.h"
#include "registry/http/whole_body.h"
#include "registry/rfc3339.h"
#include "storage/number.h"

namespace shoal {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kPrefix = "/shoal/v1/cluster/";
constexpr std::string_view kNodesPrefix = "nodes/";
constexpr std::string_view kLabelsSuffix = "/labels";
constexpr std::string_view kDrainSuffix = "/drain";
constexpr std::uint64_t kTtlDefault = 86'400;
constexpr std::size_t kLabelsBytesMax = 64 << 10;

bool reads(const Request& request) {
  return request.method == Method::get || request.method == Method::head;
}

Json json_of(const NodeView& view) {
  Json json = Json::parse(to_json(view.member));
  json["name"] = name_of(view.member);
  json["live"] = view.live;
  json["drained"] = view.drained;
  json["self"] = view.self;
  return json;
}

std::string to_json(const std::vector<NodeView>& views) {
  Json nodes = Json::array();
  for (const auto& view : views) nodes.push_back(json_of(view));
  return Json{{"nodes", std::move(nodes)}}.dump();
}

/// The number, `otherwise` without the parameter, nothing when it is none.
std::optional<std::uint64_t> number(const Request& request, std::string_view name,
                                    std::uint64_t otherwise) {
  const auto text = request.parameter(name);
  return text ? parse_number(*text) : otherwise;
}

Result<LabelChanges> parse_changes(std::string_view text) {
  const Json json = Json::parse(text, nullptr, false);
  const auto odd = [] {
    return fail(Errc::bad_request,
                "label changes are a JSON object of texts, and of nulls for labels to take away");
  };
  if (!json.is_object()) return odd();
  LabelChanges changes;
  for (const auto& [key, value] : json.items()) {
    if (!value.is_string() && !value.is_null()) return odd();
    changes[key] = value.is_null() ? std::nullopt : std::optional(value.get<std::string>());
  }
  return changes;
}

}  // namespace

std::string name_of(const Member& member) {
  const auto name = member.labels.find("name");
  return name == member.labels.end() || name->second.empty() ? member.id : name->second;
}

std::string to_json(const NodeView& view) { return json_of(view).dump(); }

asio::awaitable<Response> MembershipApi::serve(Request& request) {
  std::string_view path = request.path;
  path.remove_prefix(std::min(path.size(), kPrefix.size()));
  if (path == "tokens") {
    if (request.method != Method::post) co_return method_not_allowed("POST");
    co_return co_await create_token(request);
  }
  if (path == "nodes") {
    co_return reads(request) ? json_answer(to_json(membership_.nodes()))
                             : method_not_allowed("GET, HEAD");
  }
  if (!path.starts_with(kNodesPrefix)) {
    co_return refusal(404, "there is no " + request.path + " in this version of the API");
  }
  path.remove_prefix(kNodesPrefix.size());
  const bool labels = path.ends_with(kLabelsSuffix);
  const bool drains = path.ends_with(kDrainSuffix);
  if (!labels && !drains) co_return co_await serve_node(request, std::string(path));
  if (request.method != Method::post) co_return method_not_allowed("POST");
  path.remove_suffix(labels ? kLabelsSuffix.size() : kDrainSuffix.size());
  if (labels) co_return co_await label(request, std::string(path));
  co_return co_await drain(request, std::string(path));
}

asio::awaitable<Response> MembershipApi::create_token(const Request& request) {
  const auto ttl = number(request, "ttl", kTtlDefault);
  const auto uses = number(request, "uses", 1);
  const bool fit = ttl && uses && *ttl <= static_cast<std::uint64_t>(kTokenTtlMax.count()) &&
                   *uses <= kTokenUsesMax;
  if (!fit) {
    const Error error{Errc::bad_request,
                      fmt::format("`ttl` is a number of seconds up to {}, `uses` one up to {}",
                                  kTokenTtlMax.count(), kTokenUsesMax)};
    co_return error_response(error);
  }
  const auto work = [this, ttl = *ttl, uses = static_cast<unsigned>(*uses)] {
    return tokens_.create(std::chrono::seconds(ttl), uses);
  };
  const auto created = co_await on_disk(pool_, work);
  if (!created) co_return error_response(created.error());
  auto response = json_answer(Json{
      {"token", created->token.text()},
      {"id", created->token.id},
      {"expires", rfc3339(created->expires)},
      {"uses", *uses}}.dump());
  response.status = 201;
  co_return response;
}

asio::awaitable<Response> MembershipApi::serve_node(Request& request, std::string id) {
  if (reads(request)) {
    const auto view = membership_.node(id);
    co_return view ? json_answer(json_of(*view).dump()) : error_response(view.error());
  }
  if (request.method != Method::delete_) co_return method_not_allowed("GET, HEAD, DELETE");
  const auto work = [this, &id] { return remove_member(state_, id); };
  const auto removed = co_await on_disk(pool_, work);
  if (!removed) co_return error_response(removed.error());
  co_return json_answer(Json{{"id", id}, {"removed", true}}.dump());
}

asio::awaitable<Response> MembershipApi::label(Request& request, std::string id) {
  const auto body = co_await read_whole(*request.body, kLabelsBytesMax);
  if (!body) co_return error_response(body.error());
  const auto changes = parse_changes(*body);
  if (!changes) co_return error_response(changes.error());
  const auto work = [&] { return label_member(state_, id, *changes); };
  const auto labelled = co_await on_disk(pool_, work);
  if (!labelled) co_return error_response(labelled.error());
  // The watch may not have told of it yet.
  auto view = membership_.node(id).value_or(NodeView{});
  view.member = *labelled;
  co_return json_answer(json_of(view).dump());
}

asio::awaitable<Response> MembershipApi::drain(const Request& request, std::string id) {
  const auto on = request.parameter("on").value_or("");
  if (on != "true" && on != "false") {
    const Error error{Errc::bad_request, "`on` is true or false"};
    co_return error_response(error);
  }
  const bool drained = on == "true";
  const auto work = [&] { return drain_member(state_, id, drained); };
  const auto done = co_await on_disk(pool_, work);
  if (!done) co_return error_response(done.error());
  co_return json_answer(Json{{"id", id}, {"drained", drained}}.dump());
}

}  // namespace shoal

#include "orchestrator/membership/join_service.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <nlohmann/json.hpp>

#include "orchestrator/keys.h"
#include "orchestrator/membership/guard.h"
#include "orchestrator/membership/messages.h"
#include "orchestrator/membership/rate_limit.h"
#include "registry/disk.h"
#include "registry/error_response.h"
#include "registry/http/client.h"
#include "registry/http/whole_body.h"

namespace shoal {
namespace {

using Json = nlohmann::ordered_json;

// Says that a member passed the request on: it is not passed on a second time.
constexpr const char* kForwarded = "Shoal-Forwarded";
constexpr std::chrono::seconds kForwardTimeout{10};
constexpr std::uint64_t kForwardBytesMax = 16 << 20;

struct RenewRequest {
  std::string certificate_pem;
  std::string csr_pem;
};

Result<RenewRequest> parse_renew_request(std::string_view text) {
  const Json json = Json::parse(text, nullptr, false);
  const auto field = [&json](const char* name) {
    const auto found = json.find(name);
    return found != json.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  if (!json.is_object()) return fail(Errc::bad_request, "a renewal is a JSON object");
  RenewRequest request{field("certificate"), field("csr")};
  if (!request.certificate_pem.empty() && !request.csr_pem.empty()) return request;
  return fail(Errc::bad_request, "a renewal has a `certificate` and a `csr`");
}

Response too_many_joins() {
  auto response =
      error_response({Errc::too_many, "too many nodes join at once; try again in a second"});
  response.close = true;
  return response;
}

Response refuse_join(const Request& request, const Error& error) {
  spdlog::warn("join refused remote={} error=\"{}\"", request.remote, error.message);
  return error_response(error);
}

/// Members but this one: `authority` alone, or all, with it first; the live ones first.
std::vector<Member> candidates(const Membership& membership, bool authority) {
  auto views = membership.nodes();
  std::erase_if(views, [authority](const NodeView& view) {
    return view.self || (authority && !view.member.authority);
  });
  std::stable_sort(views.begin(), views.end(), [](const NodeView& a, const NodeView& b) {
    return std::pair(!a.member.authority, !a.live) < std::pair(!b.member.authority, !b.live);
  });
  std::vector<Member> members;
  for (auto& view : views) members.push_back(std::move(view.member));
  return members;
}

/// The first answer that comes from any address of any of them, whatever its status.
Result<HttpAnswer> send_to_any(const std::vector<Member>& members,
                               const std::shared_ptr<TlsContext>& tls, const char* path,
                               const std::string& body, bool forwarded) {
  Headers headers;
  headers.add("Content-Type", "application/json");
  if (forwarded) headers.add(kForwarded, "1");
  std::string tried;
  for (const auto& member : members) {
    for (const auto& url : member.urls) {
      HttpClientConfig config;
      config.progress_timeout = kForwardTimeout;
      config.tls = tls;
      config.peer = member.id;
      auto client = HttpClient::to(url, config);
      if (!client) continue;
      auto answer = client->send("POST", path, headers, body, kForwardBytesMax);
      if (answer && answer->status != 503) return answer;
      tried += fmt::format("{}{} at {}: {}", tried.empty() ? "" : "; ", member.id, url,
                           answer ? refusal_text(*answer) : answer.error().message);
    }
  }
  return fail(Errc::unavailable, tried.empty()
                                     ? "no member with the cluster's authority is known"
                                     : "no member with the cluster's authority answers: " + tried);
}

Result<std::string> certificate_of(const HttpAnswer& answer) {
  if (answer.status == 403) return fail(Errc::denied, refusal_text(answer));
  if (answer.status != 200) return fail(Errc::unavailable, refusal_text(answer));
  const Json json = Json::parse(answer.body, nullptr, false);
  const auto certificate = json.is_object() ? json.find("certificate") : json.end();
  if (!json.is_object() || certificate == json.end() || !certificate->is_string()) {
    return fail(Errc::io, "the answer to a renewal has no certificate");
  }
  return certificate->get<std::string>();
}

}  // namespace

struct JoinService::Impl {
  [[nodiscard]] Result<std::string> join_here(const JoinRequest& request);
  [[nodiscard]] Result<std::string> renew_here(const RenewRequest& request);
  /// Blocking: what the member with the authority answers.
  [[nodiscard]] Response pass_on(const char* path, const std::string& body, bool forwarded);

  JoinParts parts;
  JoinServiceConfig config;
  RateLimit joins{config.joins_per_second, config.joins_at_once};
};

JoinService::JoinService(JoinParts parts, JoinServiceConfig config)
    : impl_(new Impl{std::move(parts), config}) {}
JoinService::~JoinService() = default;

asio::awaitable<Response> JoinService::join(Request& request) {
  if (request.method != Method::post) co_return method_not_allowed("POST");
  if (!impl_->joins.pass()) co_return too_many_joins();
  const auto body = co_await read_whole(*request.body, kJoinBytesMax);
  if (!body) co_return error_response(body.error());
  const auto parsed = parse_join_request(*body);
  if (!parsed) co_return refuse_join(request, parsed.error());
  const bool forwarded = request.headers.find(kForwarded).has_value();
  const auto work = [&]() -> Response {
    if (impl_->parts.authority == nullptr) return impl_->pass_on(kJoinPath, *body, forwarded);
    auto answer = impl_->join_here(*parsed);
    if (answer) return json_answer(*std::move(answer));
    return refuse_join(request, answer.error());
  };
  co_return co_await on_disk(impl_->parts.pool, work);
}

asio::awaitable<Response> JoinService::renew(Request& request) {
  if (request.method != Method::post) co_return method_not_allowed("POST");
  const auto body = co_await read_whole(*request.body, kJoinBytesMax);
  if (!body) co_return error_response(body.error());
  const auto parsed = parse_renew_request(*body);
  if (!parsed) co_return error_response(parsed.error());
  const bool forwarded = request.headers.find(kForwarded).has_value();
  const auto work = [&]() -> Response {
    if (impl_->parts.authority == nullptr) return impl_->pass_on(kRenewPath, *body, forwarded);
    auto answer = impl_->renew_here(*parsed);
    return answer ? json_answer(*std::move(answer)) : error_response(answer.error());
  };
  co_return co_await on_disk(impl_->parts.pool, work);
}

Result<std::string> JoinService::Impl::join_here(const JoinRequest& request) {
  const auto key = parts.authority->check_request(request.csr_pem);
  if (!key) return tl::unexpected(key.error());
  Member member = request.member;
  member.joined = Clock::system().now();
  member.holds_state = false;
  member.authority = false;
  // Signed first: a use of the token is not taken for a certificate that does not come to be.
  auto certificate = parts.authority->sign(request.csr_pem, member.id, config.lifetime);
  if (!certificate) return tl::unexpected(certificate.error());
  const auto node = state_keys::node(member.id);
  const auto redeemed = parts.tokens.redeem(
      request.token, {member.id, *key},
      {Condition::absent(node), Condition::absent(state_keys::removed(member.id))},
      {StateWrite{node, to_json(member), 0}});
  if (!redeemed) return tl::unexpected(redeemed.error());
  spdlog::info("node joined node={} token={}", member.id, request.token.id);

  JoinAnswer answer{
      *std::move(certificate), parts.authority->certificate_pem(), parts.location(), {}};
  for (auto& view : parts.membership.nodes()) answer.members.push_back(std::move(view.member));
  const auto is_it = [&](const Member& other) { return other.id == member.id; };
  if (std::none_of(answer.members.begin(), answer.members.end(), is_it)) {
    answer.members.push_back(std::move(member));
  }
  return to_json(answer);
}

Result<std::string> JoinService::Impl::renew_here(const RenewRequest& request) {
  const auto id = parts.authority->identify(request.certificate_pem, request.csr_pem);
  if (!id) return tl::unexpected(id.error());
  if (const auto admitted = parts.membership.admit(*id); !admitted) {
    return tl::unexpected(admitted.error());
  }
  const auto certificate = parts.authority->sign(request.csr_pem, *id, config.lifetime);
  if (!certificate) return tl::unexpected(certificate.error());
  spdlog::info("certificate renewed node={}", *id);
  return Json{{"certificate", *certificate}}.dump();
}

Response JoinService::Impl::pass_on(const char* path, const std::string& body, bool forwarded) {
  if (forwarded) {
    return error_response({Errc::unavailable, "this member does not have the cluster's authority"});
  }
  auto answer = send_to_any(candidates(parts.membership, true), parts.tls, path, body, true);
  if (!answer) return error_response(answer.error());
  auto response = json_answer(std::move(answer->body));
  response.status = answer->status;
  return response;
}

Result<std::string> renew_certificate(const NodeIdentity& identity, const Membership& membership,
                                      const std::shared_ptr<TlsContext>& tls) {
  const auto csr = identity.make_csr();
  if (!csr) return tl::unexpected(csr.error());
  const auto body = Json{{"certificate", identity.certificate_pem}, {"csr", *csr}}.dump();
  const auto answer = send_to_any(candidates(membership, false), tls, kRenewPath, body, false);
  if (!answer) return tl::unexpected(answer.error());
  return certificate_of(*answer);
}

}  // namespace shoal

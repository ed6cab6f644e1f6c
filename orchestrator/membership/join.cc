#include "orchestrator/membership/join.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <nlohmann/json.hpp>

#include "orchestrator/membership/guard.h"
#include "orchestrator/membership/messages.h"
#include "orchestrator/trust/node_id.h"
#include "registry/http/client.h"

namespace shoal {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::uint64_t kAnswerBytesMax = 16 << 20;
constexpr const char* kDefaultPort = ":5001";
constexpr int kDepthMax = 8;

/// Empty when it is missing or no text.
std::string text_of(const Json& object, const char* name) {
  const auto field = object.find(name);
  return field != object.end() && field->is_string() ? field->get<std::string>() : std::string();
}

std::string dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// Leaves out what is nested deeper than anything of ours: writing that out again would take a
/// stack as deep.
Json parse_shallow(std::string_view text) {
  const auto shallow = [](int depth, Json::parse_event_t, Json&) { return depth <= kDepthMax; };
  return Json::parse(text, shallow, false);
}

/// `10.0.0.1`, `[fd00::1]:5001` or `https://host:5001` as a URL.
std::string url_of(const std::string& text) {
  if (text.find("://") != text.npos) return text;
  const auto bracket = text.rfind(']');
  const auto colon = text.rfind(':');
  const bool has_port = colon != text.npos && (bracket == text.npos || colon > bracket);
  return "https://" + text + (has_port ? "" : kDefaultPort);
}

/// What one member said: an answer, a reason to ask the next one, or (final) a reason not to.
struct Attempt {
  Result<JoinAnswer> answer;
  bool final = false;
};

Attempt ask(const std::string& url, const HttpClientConfig& config, const std::string& body) {
  auto client = HttpClient::to(url, config);
  if (!client) return {tl::unexpected(client.error()), true};
  Headers headers;
  headers.add("Content-Type", "application/json");
  const auto answer = client->send("POST", kJoinPath, headers, body, kAnswerBytesMax);
  if (!answer && answer.error().code == Errc::denied) {
    return {fail(Errc::denied,
                 fmt::format("{} does not show the certificate that the join token names: it is of "
                             "another cluster, or somebody sits in between ({})",
                             url, answer.error().message)),
            false};
  }
  if (!answer) {
    return {fail(Errc::unavailable, fmt::format("{}: {}", url, answer.error().message)), false};
  }
  if (answer->status == 200) return {parse_join_answer(answer->body), true};
  const auto reason = fmt::format("{} refuses: {}", url, refusal_text(*answer));
  if (answer->status == 429 || answer->status >= 500) {
    return {fail(Errc::unavailable, reason), false};
  }
  return {fail(answer->status == 403 ? Errc::denied : Errc::bad_request, reason), true};
}

/// The first answer or final refusal; else all that was tried.
Result<JoinAnswer> ask_in_turn(const JoinConfig& config, const JoinRequest& request) {
  TlsConfig trust;
  trust.pinned_sha256 = request.token.authority_sha256;
  const auto tls = TlsContext::client(trust);
  if (!tls) return tl::unexpected(tls.error());
  HttpClientConfig http;
  http.progress_timeout = config.progress_timeout;
  http.tls = *tls;
  const auto body = to_json(request);
  Error tried{Errc::unavailable, ""};
  for (const auto& address : config.urls) {
    auto attempt = ask(url_of(address), http, body);
    if (attempt.answer || attempt.final) return std::move(attempt.answer);
    const auto& error = attempt.answer.error();
    spdlog::warn("join attempt failed error=\"{}\"", error.message);
    if (error.code == Errc::denied) tried.code = Errc::denied;
    tried.message += (tried.message.empty() ? "" : "; ") + error.message;
  }
  return tl::unexpected(tried);
}

}  // namespace

Result<JoinRequest> parse_join_request(std::string_view text) {
  const Json json = parse_shallow(text);
  if (!json.is_object()) return fail(Errc::bad_request, "a join request is a JSON object");
  auto token = JoinToken::parse(text_of(json, "token"));
  if (!token) return fail(Errc::denied, token.error().message);
  const auto member = json.find("member");
  if (member == json.end()) return fail(Errc::bad_request, "the join request has no `member`");
  auto parsed = parse_member(dump(*member));
  if (!parsed) return tl::unexpected(parsed.error());
  if (!is_node_id(parsed->id)) {
    return fail(Errc::bad_request, "the join request's member has no id of the form n-xxxxxxxxxx");
  }
  auto csr = text_of(json, "csr");
  if (csr.empty()) return fail(Errc::bad_request, "the join request has no `csr`");
  return JoinRequest{*std::move(token), std::move(csr), *std::move(parsed)};
}

std::string to_json(const JoinRequest& request) {
  return dump(Json{{"token", request.token.text()},
                   {"csr", request.csr_pem},
                   {"member", Json::parse(to_json(request.member))}});
}

Result<JoinAnswer> parse_join_answer(std::string_view text) {
  const Json json = parse_shallow(text);
  const auto odd = [] {
    return fail(Errc::io, "what answered the join is not a shoal node of this version");
  };
  if (!json.is_object()) return odd();
  JoinAnswer answer;
  answer.certificate_pem = text_of(json, "certificate");
  answer.authority_pem = text_of(json, "authority");
  const auto state = json.find("state");
  if (state == json.end() || !state->is_object()) return odd();
  answer.state.driver = text_of(*state, "driver");
  answer.state.peer = text_of(*state, "peer");
  if (const auto endpoints = state->find("endpoints"); endpoints != state->end()) {
    for (const auto& endpoint : *endpoints) {
      if (endpoint.is_string()) answer.state.endpoints.push_back(endpoint.get<std::string>());
    }
  }
  if (const auto members = json.find("members"); members != json.end()) {
    for (const auto& member : *members) {
      if (auto parsed = parse_member(dump(member))) answer.members.push_back(*std::move(parsed));
    }
  }
  return answer;
}

std::string to_json(const JoinAnswer& answer) {
  Json members = Json::array();
  for (const auto& member : answer.members) members.push_back(Json::parse(to_json(member)));
  return dump(Json{{"certificate", answer.certificate_pem},
                   {"authority", answer.authority_pem},
                   {"state",
                    {{"driver", answer.state.driver},
                     {"endpoints", answer.state.endpoints},
                     {"peer", answer.state.peer}}},
                   {"members", std::move(members)}});
}

Result<Joined> join(const JoinConfig& config) {
  auto token = JoinToken::parse(config.token);
  if (!token) return tl::unexpected(token.error());
  if (config.urls.empty()) return fail(Errc::usage, "no address of a member to join was given");
  JoinRequest request{*std::move(token), {}, config.member};
  if (request.member.id.empty()) {
    auto id = make_node_id();
    if (!id) return tl::unexpected(id.error());
    request.member.id = *std::move(id);
  }
  const auto key = make_private_key();
  if (!key) return tl::unexpected(key.error());
  auto csr = make_signing_request(*key, request.member.id);
  if (!csr) return tl::unexpected(csr.error());
  request.csr_pem = *std::move(csr);

  auto answer = ask_in_turn(config, request);
  if (!answer) return tl::unexpected(answer.error());
  auto identity = NodeIdentity::of(*key, answer->certificate_pem, answer->authority_pem);
  if (!identity) return fail(Errc::io, "the cluster's answer: " + identity.error().message);
  if (identity->node_id != request.member.id ||
      identity->authority_fingerprint != request.token.authority_sha256) {
    return fail(Errc::io, "the cluster's answer is not for this node, or by another authority");
  }
  if (const auto saved = identity->save(config.folder); !saved) {
    return tl::unexpected(saved.error());
  }
  spdlog::info("joined cluster={} node={} members={}", identity->cluster_id, identity->node_id,
               answer->members.size());
  return Joined{*std::move(identity), std::move(answer->state), std::move(answer->members)};
}

}  // namespace shoal

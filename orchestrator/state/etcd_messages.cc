#include "orchestrator/state/etcd_messages.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "orchestrator/state/etcd_json.h"

namespace shoal {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kRefusalBytesMax = 300;  // Of a message that others wrote and we log.

tl::unexpected<Error> not_etcd(std::string_view what) {
  return fail(Errc::io, fmt::format("the answer is not what etcd sends: {}", what));
}

/// A request of ours as text; a password may hold bytes that are not UTF-8.
std::string text_of(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<Json> object_of(std::string_view text) {
  auto json = Json::parse(text, nullptr, false);
  if (json.is_discarded()) return not_etcd("it is not JSON");
  if (!json.is_object()) return not_etcd("it is not an object");
  return json;
}

/// The member `name` if it is of type object; an empty one where it is missing.
Result<Json> member_object(const Json& json, const char* name) {
  const auto member = json.find(name);
  if (member == json.end() || member->is_null()) return Json::object();
  if (!member->is_object()) return not_etcd(fmt::format("`{}` is not an object", name));
  return *member;
}

Result<bool> flag(const Json& json, const char* name) {
  const auto member = json.find(name);
  if (member == json.end() || member->is_null()) return false;
  if (!member->is_boolean()) return not_etcd(fmt::format("`{}` is not a boolean", name));
  return member->get<bool>();
}

std::string text_or_empty(const Json& json, const char* name) {
  const auto member = json.find(name);
  if (member == json.end() || !member->is_string()) return {};
  return member->get<std::string>().substr(0, kRefusalBytesMax);
}

Result<std::uint64_t> number(const Json& json, const char* name) {
  const auto value = json_uint64(json, name);
  if (!value) return not_etcd(fmt::format("`{}` is not a number", name));
  return *value;
}

Result<Revision> revision_of(const Json& answer) {
  const auto header = member_object(answer, "header");
  if (!header) return tl::unexpected(header.error());
  return number(*header, "revision");
}

Result<StateEntry> entry_of(const Json& kv, std::string_view prefix) {
  if (!kv.is_object()) return not_etcd("a key that is not an object");
  StateEntry entry;
  auto key = json_bytes(kv, "key");
  auto value = json_bytes(kv, "value");
  const auto created = json_uint64(kv, "create_revision");
  const auto modified = json_uint64(kv, "mod_revision");
  const auto lease = json_uint64(kv, "lease");
  if (!key || !value || !created || !modified || !lease) return not_etcd("a malformed key");
  if (key->size() <= prefix.size() || !key->starts_with(prefix)) {
    return not_etcd("a key that was not asked for");
  }
  if (*modified == 0) return not_etcd("a key without a revision");
  return StateEntry{key->substr(prefix.size()), std::move(*value), *created, *modified, *lease};
}

Result<std::vector<StateEntry>> entries_of(const Json& answer, std::string_view prefix) {
  std::vector<StateEntry> entries;
  const auto kvs = answer.find("kvs");
  if (kvs == answer.end() || kvs->is_null()) return entries;
  if (!kvs->is_array()) return not_etcd("`kvs` is not a list");
  entries.reserve(kvs->size());
  for (const auto& kv : *kvs) {
    auto entry = entry_of(kv, prefix);
    if (!entry) return tl::unexpected(entry.error());
    if (!entries.empty() && entries.back().key >= entry->key) return not_etcd("keys out of order");
    entries.push_back(std::move(*entry));
  }
  return entries;
}

Json put_of(const StateWrite& write, const std::string& key) {
  Json put{{"key", base64(key)}, {"value", base64(*write.value)}};
  if (write.lease != 0) put["lease"] = std::to_string(write.lease);
  return Json{{"request_put", std::move(put)}};
}

}  // namespace

std::string range_request(const EtcdRangeRequest& request) {
  Json json{{"key", base64(request.key)}};
  if (!request.end.empty()) json["range_end"] = base64(request.end);
  if (request.limit > 0) json["limit"] = std::to_string(request.limit);
  if (request.revision > 0) json["revision"] = std::to_string(request.revision);
  return text_of(json);
}

Result<EtcdRange> parse_range(std::string_view answer, std::string_view prefix) {
  const auto json = object_of(answer);
  if (!json) return tl::unexpected(json.error());
  const auto revision = revision_of(*json);
  if (!revision) return tl::unexpected(revision.error());
  if (*revision == 0) return not_etcd("no revision");
  const auto more = flag(*json, "more");
  if (!more) return tl::unexpected(more.error());
  auto entries = entries_of(*json, prefix);
  if (!entries) return tl::unexpected(entries.error());
  if (*more && entries->empty()) return not_etcd("an empty page that has a next one");
  return EtcdRange{std::move(*entries), *revision, *more};
}

std::string txn_request(const Transaction& transaction, std::string_view prefix,
                        const std::string& look_at) {
  const auto whole = [&](const std::string& key) { return std::string(prefix) + key; };
  Json json = Json::object();
  auto& compare = json["compare"] = Json::array();
  for (const auto& condition : transaction.conditions) {
    const bool created = condition.field == Condition::Field::created;
    compare.push_back(
        {{"key", base64(whole(condition.key))},
         {"target", created ? "CREATE" : "MOD"},
         {"result", "EQUAL"},
         {created ? "create_revision" : "mod_revision", std::to_string(condition.revision)}});
  }
  auto& success = json["success"] = Json::array();
  for (const auto& write : transaction.writes) {
    const auto key = whole(write.key);
    success.push_back(write.value ? put_of(write, key)
                                  : Json{{"request_delete_range", {{"key", base64(key)}}}});
  }
  auto& failure = json["failure"] = Json::array();
  if (!look_at.empty()) {
    failure.push_back({{"request_range", {{"key", base64(whole(look_at))}}}});
  }
  return text_of(json);
}

Result<EtcdTxn> parse_txn(std::string_view answer, std::string_view prefix) {
  const auto json = object_of(answer);
  if (!json) return tl::unexpected(json.error());
  EtcdTxn txn;
  const auto revision = revision_of(*json);
  if (!revision) return tl::unexpected(revision.error());
  if (*revision == 0) return not_etcd("no revision");
  txn.revision = *revision;
  const auto succeeded = flag(*json, "succeeded");
  if (!succeeded) return tl::unexpected(succeeded.error());
  txn.succeeded = *succeeded;

  const auto responses = json->find("responses");
  if (responses == json->end() || responses->is_null()) return txn;
  if (!responses->is_array()) return not_etcd("`responses` is not a list");
  for (const auto& response : *responses) {
    if (!response.is_object()) return not_etcd("a response that is not an object");
    const auto range = member_object(response, "response_range");
    if (!range) return tl::unexpected(range.error());
    auto entries = entries_of(*range, prefix);
    if (!entries) return tl::unexpected(entries.error());
    if (!entries->empty()) txn.found = std::move(entries->front());
  }
  return txn;
}

std::string grant_request(std::int64_t ttl_seconds) {
  return text_of(Json{{"TTL", std::to_string(ttl_seconds)}});
}

Result<LeaseId> parse_grant(std::string_view answer) {
  const auto json = object_of(answer);
  if (!json) return tl::unexpected(json.error());
  const auto id = number(*json, "ID");
  if (id && *id == 0) return not_etcd("a lease without a number");
  return id;
}

std::string lease_request(LeaseId lease) { return text_of(Json{{"ID", std::to_string(lease)}}); }

Result<bool> parse_keepalive(std::string_view answer) {
  const auto json = object_of(answer);
  if (!json) return tl::unexpected(json.error());
  if (!json->contains("result")) return not_etcd("a keepalive without a result");
  const auto result = member_object(*json, "result");
  if (!result) return tl::unexpected(result.error());
  const auto ttl = number(*result, "TTL");
  if (!ttl) return tl::unexpected(ttl.error());
  return *ttl > 0;
}

std::string authenticate_request(const std::string& user, const std::string& password) {
  return text_of(Json{{"name", user}, {"password", password}});
}

Result<std::string> parse_token(std::string_view answer) {
  const auto json = object_of(answer);
  if (!json) return tl::unexpected(json.error());
  const auto token = json->find("token");
  if (token == json->end() || !token->is_string()) return not_etcd("no token");
  auto text = token->get<std::string>();
  // It becomes a header's value.
  for (const char c : text) {
    if (c <= ' ' || c > '~') return not_etcd("a malformed token");
  }
  if (text.empty()) return not_etcd("no token");
  return text;
}

std::string watch_request(const std::string& key, const std::string& end, Revision from) {
  return text_of(Json{{"create_request",
                       {{"key", base64(key)},
                        {"range_end", base64(end)},
                        {"start_revision", std::to_string(from)}}}});
}

Result<EtcdWatchLine> parse_watch_line(std::string_view line, std::string_view prefix) {
  const auto json = object_of(line);
  if (!json) return tl::unexpected(json.error());
  EtcdWatchLine parsed;
  if (const auto error = json->find("error"); error != json->end()) {
    parsed.error = true;
    parsed.reason =
        error->is_object() ? text_or_empty(*error, "message") : text_or_empty(*json, "error");
    return parsed;
  }
  if (!json->contains("result")) return not_etcd("a line of a watch without a result");
  const auto result = member_object(*json, "result");
  if (!result) return tl::unexpected(result.error());
  const auto created = flag(*result, "created");
  const auto canceled = flag(*result, "canceled");
  const auto compacted = number(*result, "compact_revision");
  if (!created) return tl::unexpected(created.error());
  if (!canceled) return tl::unexpected(canceled.error());
  if (!compacted) return tl::unexpected(compacted.error());
  parsed.created = *created;
  parsed.canceled = *canceled;
  parsed.compacted = *compacted;
  parsed.reason = text_or_empty(*result, "cancel_reason");

  const auto events = result->find("events");
  if (events == result->end() || events->is_null()) return parsed;
  if (!events->is_array()) return not_etcd("`events` is not a list");
  for (const auto& event : *events) {
    const auto kv = event.is_object() ? event.find("kv") : event.end();
    if (kv == event.end()) return not_etcd("an event without a key");
    auto entry = entry_of(*kv, prefix);
    if (!entry) return tl::unexpected(entry.error());
    // Enums may come by name or by number.
    const auto type = event.value("type", Json("PUT"));
    const bool erased = type == "DELETE" || type == 1;
    if (!erased && type != "PUT" && type != 0) return not_etcd("an event of an unknown type");
    if (erased) *entry = StateEntry{std::move(entry->key), {}, 0, entry->modified, 0};
    parsed.changes.push_back({std::move(*entry), erased});
  }
  return parsed;
}

EtcdRefusal parse_refusal(std::string_view answer) {
  EtcdRefusal refusal;
  const auto json = Json::parse(answer, nullptr, false);
  if (!json.is_object()) return refusal;
  if (const auto code = json_uint64(json, "code"); code && *code != 0) refusal.code = *code;
  refusal.message = text_or_empty(json, "message");
  if (refusal.message.empty()) refusal.message = text_or_empty(json, "error");
  return refusal;
}

}  // namespace shoal

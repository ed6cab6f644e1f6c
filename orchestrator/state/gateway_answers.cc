#include "orchestrator/state/gateway_answers.h"

#include <string_view>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "orchestrator/state/etcd_json.h"

namespace shoal {
namespace {

std::string json_string(std::string_view text) {
  const nlohmann::json value = text;
  return value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

/// One JSON object, member by member. What is zero, false or empty is left out, as etcd does; a
/// hand of its own, since a range may be megabytes and all of it is digits and base64.
class Object {
 public:
  Object& number(const char* name, std::uint64_t value) {
    if (value != 0) text_ += fmt::format("{}\"{}\":\"{}\"", comma(), name, value);
    return *this;
  }
  Object& bytes(const char* name, std::string_view value) {
    if (!value.empty()) text_ += fmt::format("{}\"{}\":\"{}\"", comma(), name, base64(value));
    return *this;
  }
  Object& flag(const char* name, bool value) {
    if (value) text_ += fmt::format("{}\"{}\":true", comma(), name);
    return *this;
  }
  /// `json` is JSON already.
  Object& member(const char* name, std::string_view json) {
    text_ += fmt::format("{}\"{}\":{}", comma(), name, json);
    return *this;
  }
  template <class Elements, class ToJson>
  Object& list(const char* name, const Elements& elements, const ToJson& to_json) {
    if (elements.empty()) return *this;
    text_ += fmt::format("{}\"{}\":[", comma(), name);
    for (std::size_t i = 0; i < elements.size(); ++i) {
      if (i > 0) text_ += ',';
      text_ += to_json(elements[i]);
    }
    text_ += ']';
    return *this;
  }
  [[nodiscard]] std::string text() { return std::move(text_) + '}'; }

 private:
  const char* comma() const { return text_.size() > 1 ? "," : ""; }
  std::string text_ = "{";
};

std::string header_json(const GatewayHeader& header) {
  return Object()
      .number("cluster_id", header.id)
      .number("member_id", header.id)
      .number("revision", header.revision)
      .number("raft_term", 1)
      .text();
}

std::string entry_json(const VersionedEntry& versioned) {
  const auto& entry = versioned.entry;
  return Object()
      .bytes("key", entry.key)
      .number("create_revision", entry.created)
      .number("mod_revision", entry.modified)
      .number("version", versioned.version)
      .bytes("value", entry.value)
      .number("lease", entry.lease)
      .text();
}

// What an operation adds to its header, and its name in a transaction's answer.

const char* complete(Object& object, const EntryRange& range) {
  object.list("kvs", range.entries, entry_json).flag("more", range.more);
  // Not known where there are more: to count them would cost reading all for each page.
  if (!range.more) object.number("count", range.count);
  return "response_range";
}

const char* complete(Object& object, const PutDone& put) {
  if (put.previous) object.member("prev_kv", entry_json(*put.previous));
  return "response_put";
}

const char* complete(Object& object, const DeleteDone& erased) {
  object.number("deleted", erased.deleted).list("prev_kvs", erased.previous, entry_json);
  return "response_delete_range";
}

std::string in_transaction(Revision revision, const OperationDone& done) {
  Object object;
  object.member("header", Object().number("revision", revision).text());
  const char* const name =
      std::visit([&](const auto& what) { return complete(object, what); }, done);
  return Object().member(name, object.text()).text();
}

Object watch_result(const GatewayHeader& header, const WatchRequest& request) {
  Object result;
  result.member("header", header_json(header)).number("watch_id", request.id);
  return result;
}

std::string result_line(Object& result) {
  return Object().member("result", result.text()).text() + '\n';
}

std::string event_json(const RecordedChange& change, Revision revision, bool previous) {
  Object event;
  if (change.after) {
    event.member("kv", entry_json(*change.after));
  } else {
    event.member("type", "\"DELETE\"");
    event.member("kv", Object().bytes("key", change.key).number("mod_revision", revision).text());
  }
  if (previous && change.before) event.member("prev_kv", entry_json(*change.before));
  return event.text();
}

struct Status {
  int http;
  int grpc;
};

/// Of gRPC's codes, and the HTTP status that the gateway gives for each (grpc-gateway 1.x,
/// runtime.HTTPStatusFromCode).
Status status_of(Errc code) {
  switch (code) {
    case Errc::bad_request:
    case Errc::size_invalid:
    case Errc::too_large: return {400, 3};          // INVALID_ARGUMENT
    case Errc::events_compacted: return {400, 11};  // OUT_OF_RANGE
    case Errc::timed_out: return {504, 4};          // DEADLINE_EXCEEDED
    case Errc::lease_lost: return {404, 5};         // NOT_FOUND
    case Errc::conflict: return {412, 9};           // FAILED_PRECONDITION, as etcd 3.4 answers it
    case Errc::too_many: return {429, 8};           // RESOURCE_EXHAUSTED
    case Errc::unsupported: return {501, 12};       // UNIMPLEMENTED
    case Errc::unavailable: return {503, 14};       // UNAVAILABLE
    default: return {500, 13};                      // INTERNAL
  }
}

}  // namespace

std::string operation_answer(const GatewayHeader& header, const OperationDone& done) {
  Object object;
  object.member("header", header_json(header));
  std::visit([&](const auto& what) { complete(object, what); }, done);
  return object.text();
}

std::string txn_answer(const GatewayHeader& header, bool succeeded,
                       const std::vector<OperationDone>& done) {
  Object object;
  object.member("header", header_json(header)).flag("succeeded", succeeded);
  object.list("responses", done, [&](const OperationDone& operation) {
    return in_transaction(header.revision, operation);
  });
  return object.text();
}

std::string grant_answer(const GatewayHeader& header, LeaseId lease, std::chrono::seconds ttl) {
  return Object()
      .member("header", header_json(header))
      .number("ID", lease)
      .number("TTL", static_cast<std::uint64_t>(ttl.count()))
      .text();
}

std::string keep_answer(const GatewayHeader& header, LeaseId lease,
                        std::optional<std::chrono::seconds> ttl) {
  const auto left = ttl.value_or(std::chrono::seconds::zero());
  return Object().member("result", grant_answer(header, lease, left)).text() + '\n';
}

std::string lease_facts_answer(const GatewayHeader& header, LeaseId lease,
                               const std::optional<LeaseTable::Facts>& facts, bool keys) {
  Object object;
  object.member("header", header_json(header)).number("ID", lease);
  if (!facts) return object.member("TTL", "\"-1\"").text();
  object.number("TTL", static_cast<std::uint64_t>(facts->left.count()));
  object.number("grantedTTL", static_cast<std::uint64_t>(facts->granted.count()));
  if (keys) {
    object.list("keys", facts->keys,
                [](const std::string& key) { return '"' + base64(key) + '"'; });
  }
  return object.text();
}

std::string header_answer(const GatewayHeader& header) {
  return Object().member("header", header_json(header)).text();
}

std::string status_answer(const GatewayHeader& header, std::uint64_t disk_bytes) {
  return Object()
      .member("header", header_json(header))
      .member("version", "\"shoal\"")
      .number("dbSize", disk_bytes)
      .number("leader", header.id)
      .number("raftTerm", 1)
      .text();
}

std::string watch_created(const GatewayHeader& header, const WatchRequest& request) {
  auto result = watch_result(header, request);
  return result_line(result.flag("created", true));
}

std::string watch_events(const GatewayHeader& header, const WatchRequest& request,
                         const StateFollower::Batch& batch) {
  std::vector<std::size_t> told;
  for (std::size_t i = 0; i < batch.changes.size(); ++i) {
    if (batch.changes[i]->after ? request.puts : request.erasures) told.push_back(i);
  }
  if (told.empty()) return {};
  auto result = watch_result(header, request);
  return result_line(result.list("events", told, [&](std::size_t i) {
    return event_json(*batch.changes[i], batch.revisions[i], request.previous);
  }));
}

std::string watch_progress(const GatewayHeader& header, const WatchRequest& request) {
  auto result = watch_result(header, request);
  return result_line(result);
}

std::string watch_compacted(const GatewayHeader& header, const WatchRequest& request,
                            Revision compacted) {
  auto result = watch_result(header, request);
  return result_line(result.flag("canceled", true).number("compact_revision", compacted));
}

std::string watch_error(const Error& error) {
  const auto status = status_of(error.code);
  Object object;
  object.member("grpc_code", std::to_string(status.grpc));
  object.member("http_code", std::to_string(status.http));
  object.member("message", json_string(error.message));
  return Object().member("error", object.text()).text() + '\n';
}

GatewayFailure failure_answer(const Error& error) {
  const auto status = status_of(error.code);
  const auto message = json_string(error.message);
  Object object;
  object.member("error", message).member("message", message);
  object.member("code", std::to_string(status.grpc));
  return {status.http, object.text()};
}

}  // namespace shoal

#include "orchestrator/state/gateway_requests.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <limits>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "orchestrator/state/etcd_json.h"

namespace shoal {
namespace {

using Json = nlohmann::json;

std::string camel_case(std::string_view name) {
  std::string camel;
  for (std::size_t i = 0; i < name.size(); ++i) {
    const bool joint = name[i] == '_' && i + 1 < name.size();
    if (joint) ++i;
    const auto letter = static_cast<unsigned char>(name[i]);
    camel += static_cast<char>(joint ? std::toupper(letter) : letter);
  }
  return camel;
}

/// The members of one object, each asked for once. What is wrong is kept, the first of it, and
/// asked for at the end: a request is read whole and then checked.
class Fields {
 public:
  explicit Fields(const Json& object) : object_(object) {
    if (!object.is_object()) refuse(Errc::bad_request, "not an object");
  }

  [[nodiscard]] std::uint64_t number(const char* name) {
    const auto spelled = spelling(name);
    if (spelled.empty()) return 0;
    const auto value = json_uint64(object_, spelled.c_str());
    if (!value || *value > std::numeric_limits<std::int64_t>::max()) {
      refuse(Errc::bad_request, fmt::format("`{}` is not a number from 0 on", name));
      return 0;
    }
    return *value;
  }

  [[nodiscard]] std::string bytes(const char* name) {
    const auto spelled = spelling(name);
    if (spelled.empty()) return {};
    auto value = json_bytes(object_, spelled.c_str());
    if (!value) refuse(Errc::bad_request, fmt::format("`{}` is not padded base64", name));
    return value ? std::move(*value) : std::string();
  }

  [[nodiscard]] bool flag(const char* name) {
    const auto* const member = find(name);
    if (member == nullptr) return false;
    if (member->is_boolean()) return member->get<bool>();
    refuse(Errc::bad_request, fmt::format("`{}` is neither true nor false", name));
    return false;
  }

  /// The place of the member's value in `names`, by which it may be called too; 0 if it is missing.
  template <std::size_t N>
  [[nodiscard]] std::size_t choice(const char* name, const std::array<std::string_view, N>& names) {
    const auto* const member = find(name);
    return member == nullptr ? 0 : choice_of(name, *member, names);
  }

  template <std::size_t N>
  [[nodiscard]] std::size_t choice_of(const char* name, const Json& value,
                                      const std::array<std::string_view, N>& names) {
    if (value.is_string()) {
      const auto found = std::find(names.begin(), names.end(), value.get_ref<const std::string&>());
      if (found != names.end()) return static_cast<std::size_t>(found - names.begin());
    } else if (value.is_number_unsigned() && value.get<std::uint64_t>() < N) {
      return value.get<std::size_t>();
    }
    refuse(Errc::bad_request, fmt::format("`{}` has a value that is not known", name));
    return 0;
  }

  /// Null where it is missing.
  [[nodiscard]] const Json* object(const char* name) {
    const auto* const member = find(name);
    if (member == nullptr || member->is_object()) return member;
    refuse(Errc::bad_request, fmt::format("`{}` is not an object", name));
    return nullptr;
  }

  /// At most `elements_max` of them.
  [[nodiscard]] std::vector<const Json*> list(const char* name, std::size_t elements_max) {
    std::vector<const Json*> elements;
    const auto* const member = find(name);
    if (member == nullptr) return elements;
    if (!member->is_array()) {
      refuse(Errc::bad_request, fmt::format("`{}` is not a list", name));
    } else if (member->size() > elements_max) {
      refuse(Errc::bad_request, fmt::format("etcdserver: too many operations in txn request: `{}` "
                                            "has {}, at most {} are allowed",
                                            name, member->size(), elements_max));
    } else {
      for (const auto& element : *member) elements.push_back(&element);
    }
    return elements;
  }

  [[nodiscard]] bool has(const char* name) { return find(name) != nullptr; }

  void refuse(Errc code, std::string message) {
    if (!error_) error_ = Error{code, std::move(message)};
  }
  [[nodiscard]] const std::optional<Error>& error() const { return error_; }

 private:
  /// How the member is spelled here; empty where it is missing or null.
  std::string spelling(std::string_view name) const {
    if (!object_.is_object()) return {};
    for (auto& spelled : {std::string(name), camel_case(name)}) {
      const auto found = object_.find(spelled);
      if (found != object_.end() && !found->is_null()) return spelled;
    }
    return {};
  }

  const Json* find(const char* name) const {
    const auto spelled = spelling(name);
    return spelled.empty() ? nullptr : &*object_.find(spelled);
  }

  const Json& object_;
  std::optional<Error> error_;
};

template <class T>
Result<T> checked(const Fields& fields, T value) {
  if (fields.error()) return tl::unexpected(*fields.error());
  return value;
}

/// etcd's way to say it: no `range_end` is one key, a byte of zero is everything from `key` on.
KeyRange key_range(Fields& fields) {
  auto key = fields.bytes("key");
  auto end = fields.bytes("range_end");
  if (end.empty()) {
    if (key.empty()) fields.refuse(Errc::bad_request, "etcdserver: key is not provided");
    return KeyRange::one(key);
  }
  if (end == std::string_view("\0", 1)) return {std::move(key), std::nullopt};
  return {std::move(key), std::move(end)};
}

Result<RangeRequest> read_range(const Json& json) {
  static constexpr std::array<std::string_view, 3> kOrders = {"NONE", "ASCEND", "DESCEND"};
  static constexpr std::array<std::string_view, 5> kTargets = {"KEY", "VERSION", "CREATE", "MOD",
                                                               "VALUE"};
  Fields fields(json);
  RangeRequest request;
  request.keys = key_range(fields);
  request.options.at = fields.number("revision");
  request.options.limit = fields.number("limit");
  request.options.keys_only = fields.flag("keys_only");
  request.options.count_only = fields.flag("count_only");
  static_cast<void>(fields.flag("serializable"));  // Every read here is up to date.
  const auto order = fields.choice("sort_order", kOrders);
  const auto target = fields.choice("sort_target", kTargets);
  if (order == 2 || (order == 1 && target != 0)) {
    fields.refuse(Errc::unsupported, "this state sorts by key, ascending, and in no other way");
  }
  for (const char* bound :
       {"min_mod_revision", "max_mod_revision", "min_create_revision", "max_create_revision"}) {
    if (fields.number(bound) == 0) continue;
    fields.refuse(Errc::unsupported, fmt::format("this state does not filter by `{}`", bound));
  }
  return checked(fields, std::move(request));
}

Result<PutRequest> read_put(const Json& json) {
  Fields fields(json);
  PutRequest request;
  request.key = fields.bytes("key");
  request.value = fields.bytes("value");
  request.lease = fields.number("lease");
  request.previous = fields.flag("prev_kv");
  if (request.key.empty()) fields.refuse(Errc::bad_request, "etcdserver: key is not provided");
  if (fields.flag("ignore_value") || fields.flag("ignore_lease")) {
    fields.refuse(Errc::unsupported, "this state writes value and lease together");
  }
  return checked(fields, std::move(request));
}

Result<DeleteRequest> read_delete(const Json& json) {
  Fields fields(json);
  DeleteRequest request;
  request.keys = key_range(fields);
  request.previous = fields.flag("prev_kv");
  return checked(fields, std::move(request));
}

Result<StateOperation> read_operation(const Json& json) {
  Fields fields(json);
  const auto as_operation = [](auto read) -> Result<StateOperation> {
    if (!read) return tl::unexpected(read.error());
    return StateOperation(std::move(*read));
  };
  if (const auto* const put = fields.object("request_put")) return as_operation(read_put(*put));
  if (const auto* const erased = fields.object("request_delete_range")) {
    return as_operation(read_delete(*erased));
  }
  if (const auto* const range = fields.object("request_range")) {
    return as_operation(read_range(*range));
  }
  if (fields.has("request_txn")) {
    fields.refuse(Errc::unsupported, "this state has no transactions within transactions");
  }
  fields.refuse(Errc::bad_request, "an operation that is neither put nor delete_range nor range");
  return tl::unexpected(*fields.error());
}

Result<Comparison> read_comparison(const Json& json) {
  static constexpr std::array<std::string_view, 5> kTargets = {"VERSION", "CREATE", "MOD", "VALUE",
                                                               "LEASE"};
  static constexpr std::array<std::string_view, 4> kResults = {"EQUAL", "GREATER", "LESS",
                                                               "NOT_EQUAL"};
  static constexpr std::array<const char*, 5> kOperands = {"version", "create_revision",
                                                           "mod_revision", "value", "lease"};
  Fields fields(json);
  Comparison comparison;
  comparison.key = fields.bytes("key");
  comparison.target = static_cast<Comparison::Target>(fields.choice("target", kTargets));
  comparison.result = static_cast<Comparison::Result>(fields.choice("result", kResults));
  const char* const operand = kOperands[static_cast<std::size_t>(comparison.target)];
  if (comparison.target == Comparison::Target::value) {
    comparison.value = fields.bytes(operand);
  } else {
    comparison.number = fields.number(operand);
  }
  if (comparison.key.empty()) fields.refuse(Errc::bad_request, "etcdserver: key is not provided");
  if (fields.has("range_end")) {
    fields.refuse(Errc::unsupported, "this state compares one key at a time");
  }
  return checked(fields, std::move(comparison));
}

/// Whether a key would be written twice, or erased and written.
bool writes_twice(const std::vector<StateOperation>& operations) {
  std::set<std::string_view> put;
  for (const auto& operation : operations) {
    const auto* const write = std::get_if<PutRequest>(&operation);
    if (write != nullptr && !put.insert(write->key).second) return true;
  }
  for (const auto& operation : operations) {
    const auto* const erased = std::get_if<DeleteRequest>(&operation);
    if (erased == nullptr) continue;
    const auto first = put.lower_bound(erased->keys.first);
    if (first != put.end() && erased->keys.contains(*first)) return true;
  }
  return false;
}

Result<std::vector<StateOperation>> read_branch(Fields& fields, const char* branch) {
  std::vector<StateOperation> operations;
  bool writes = false;
  for (const auto* element : fields.list(branch, kOperationsMax)) {
    auto operation = read_operation(*element);
    if (!operation) return tl::unexpected(operation.error());
    // It would have to see what is not written yet.
    const bool reads = std::holds_alternative<RangeRequest>(*operation);
    if (reads && writes) {
      return fail(Errc::unsupported, "this state reads before it writes in a transaction");
    }
    writes = writes || !reads;
    operations.push_back(std::move(*operation));
  }
  if (!writes_twice(operations)) return operations;
  return fail(Errc::bad_request, "etcdserver: duplicate key given in txn request");
}

Result<TxnRequest> read_txn(const Json& json) {
  Fields fields(json);
  TxnRequest request;
  for (const auto* element : fields.list("compare", kOperationsMax)) {
    auto comparison = read_comparison(*element);
    if (!comparison) return tl::unexpected(comparison.error());
    request.comparisons.push_back(std::move(*comparison));
  }
  auto success = read_branch(fields, "success");
  if (!success) return tl::unexpected(success.error());
  auto failure = read_branch(fields, "failure");
  if (!failure) return tl::unexpected(failure.error());
  request.success = std::move(*success);
  request.failure = std::move(*failure);
  return checked(fields, std::move(request));
}

Result<WatchRequest> read_watch(const Json& json) {
  static constexpr std::array<std::string_view, 2> kFilters = {"NOPUT", "NODELETE"};
  Fields outer(json);
  const auto* const create = outer.object("create_request");
  if (create == nullptr) {
    outer.refuse(Errc::unsupported, "a watch is created by its request, and ends with it");
    return tl::unexpected(*outer.error());
  }
  Fields fields(*create);
  WatchRequest request;
  request.keys = key_range(fields);
  request.start = fields.number("start_revision");
  request.id = fields.number("watch_id");
  request.previous = fields.flag("prev_kv");
  for (const auto* filter : fields.list("filters", kFilters.size())) {
    const bool puts = fields.choice_of("filters", *filter, kFilters) == 0;
    (puts ? request.puts : request.erasures) = false;
  }
  return checked(fields, std::move(request));
}

Result<GrantRequest> read_grant(const Json& json) {
  Fields fields(json);
  GrantRequest request;
  request.lease = fields.number("ID");
  // Beyond what fits into a duration it is refused as too long, like a little less.
  constexpr std::uint64_t kMost = std::numeric_limits<std::int32_t>::max();
  request.ttl = std::chrono::seconds(std::min(fields.number("TTL"), kMost));
  return checked(fields, request);
}

Result<LeaseFactsRequest> read_lease(const Json& json) {
  Fields fields(json);
  LeaseFactsRequest request;
  request.lease = fields.number("ID");
  request.keys = fields.flag("keys");
  return checked(fields, request);
}

Result<GatewayRequest> read_keep(const Json& json) {
  const auto lease = read_lease(json);
  if (!lease) return tl::unexpected(lease.error());
  return KeepRequest{lease->lease};
}

Result<GatewayRequest> read_revoke(const Json& json) {
  const auto lease = read_lease(json);
  if (!lease) return tl::unexpected(lease.error());
  return RevokeRequest{lease->lease};
}

template <auto read>
Result<GatewayRequest> as_request(const Json& json) {
  auto request = read(json);
  if (!request) return tl::unexpected(request.error());
  return GatewayRequest(std::move(*request));
}

Result<GatewayRequest> read_status(const Json&) { return StatusRequest{}; }

struct Path {
  std::string_view path;
  Result<GatewayRequest> (*read)(const Json& json);
};
constexpr std::array<Path, 10> kPaths = {{
    {"kv/range", as_request<read_range>},
    {"kv/put", as_request<read_put>},
    {"kv/deleterange", as_request<read_delete>},
    {"kv/txn", as_request<read_txn>},
    {"watch", as_request<read_watch>},
    {"lease/grant", as_request<read_grant>},
    {"lease/keepalive", read_keep},
    {"lease/revoke", read_revoke},
    {"lease/timetolive", as_request<read_lease>},
    {"maintenance/status", read_status},
}};

}  // namespace

Result<GatewayRequest> parse_gateway_request(std::string_view path, std::string_view body) {
  const auto known = std::find_if(kPaths.begin(), kPaths.end(),
                                  [&](const Path& entry) { return entry.path == path; });
  if (known == kPaths.end()) {
    return fail(Errc::unsupported, "this state does not know /v3/" + std::string(path));
  }
  const auto json = body.empty() ? Json::object() : Json::parse(body, nullptr, false);
  if (json.is_discarded()) {
    return fail(Errc::bad_request, "the body is not JSON, or more than one object");
  }
  if (!json.is_object()) return fail(Errc::bad_request, "the body is not a JSON object");
  return known->read(json);
}

}  // namespace shoal

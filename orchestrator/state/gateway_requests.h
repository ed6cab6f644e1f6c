#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "orchestrator/state/embedded_records.h"
#include "orchestrator/state/embedded_store.h"

namespace shoal {

// What a client of the gateway asks, read from the JSON of etcd's v3 gateway (etcdserverpb's
// rpc.proto names the fields): in snake_case or camelCase, enumerations by name or number, 64-bit
// numbers as such or as strings, fields that nobody knows left aside.

struct RangeRequest {
  KeyRange keys;
  RangeOptions options;
};

struct PutRequest {
  std::string key;
  std::string value;
  LeaseId lease = 0;
  bool previous = false;  // The answer tells what the key was.
};

struct DeleteRequest {
  KeyRange keys;
  bool previous = false;
};

using StateOperation = std::variant<RangeRequest, PutRequest, DeleteRequest>;

struct Comparison {
  enum class Target { version, created, modified, value, lease };
  enum class Result { equal, greater, less, not_equal };
  std::string key;
  Target target = Target::version;
  Result result = Result::equal;
  std::uint64_t number = 0;  // What the target is held against, unless it is the value:
  std::string value;
};

struct TxnRequest {
  std::vector<Comparison> comparisons;
  std::vector<StateOperation> success;
  std::vector<StateOperation> failure;
};

struct WatchRequest {
  KeyRange keys;
  Revision start = 0;  // The first that is told; 0: what is to come.
  std::uint64_t id = 0;
  bool previous = false;
  bool puts = true;
  bool erasures = true;
};

struct GrantRequest {
  LeaseId lease = 0;  // 0: the server chooses.
  std::chrono::seconds ttl{0};
};
struct KeepRequest {
  LeaseId lease = 0;
};
struct RevokeRequest {
  LeaseId lease = 0;
};
struct LeaseFactsRequest {
  LeaseId lease = 0;
  bool keys = false;
};
struct StatusRequest {};

using GatewayRequest =
    std::variant<RangeRequest, PutRequest, DeleteRequest, TxnRequest, WatchRequest, GrantRequest,
                 KeepRequest, RevokeRequest, LeaseFactsRequest, StatusRequest>;

inline constexpr std::size_t kOperationsMax = 128;  // And comparisons, of a transaction.

/// `path` is what follows `/v3/`, `kv/range`. Fails with bad_request, or unsupported (a path, or
/// something in a request, that this state does not know). Pure; never throws.
[[nodiscard]] Result<GatewayRequest> parse_gateway_request(std::string_view path,
                                                           std::string_view body);

}  // namespace shoal

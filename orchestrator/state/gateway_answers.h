#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "orchestrator/state/embedded_hub.h"
#include "orchestrator/state/embedded_leases.h"
#include "orchestrator/state/embedded_records.h"
#include "orchestrator/state/embedded_store.h"
#include "orchestrator/state/gateway_requests.h"

namespace shoal {

// What the gateway answers, as the text that etcd's v3 JSON gateway would send.

/// What stands in every answer's header.
struct GatewayHeader {
  std::uint64_t id = 0;  // Of the store: it is its own cluster, and its only member.
  Revision revision = 0;
};

struct PutDone {
  std::optional<VersionedEntry> previous;
};
struct DeleteDone {
  std::uint64_t deleted = 0;
  std::vector<VersionedEntry> previous;
};
using OperationDone = std::variant<EntryRange, PutDone, DeleteDone>;

/// Of one operation by itself.
[[nodiscard]] std::string operation_answer(const GatewayHeader& header, const OperationDone& done);
[[nodiscard]] std::string txn_answer(const GatewayHeader& header, bool succeeded,
                                     const std::vector<OperationDone>& done);

[[nodiscard]] std::string grant_answer(const GatewayHeader& header, LeaseId lease,
                                       std::chrono::seconds ttl);
/// Without a `ttl` the lease is gone.
[[nodiscard]] std::string keep_answer(const GatewayHeader& header, LeaseId lease,
                                      std::optional<std::chrono::seconds> ttl);
[[nodiscard]] std::string lease_facts_answer(const GatewayHeader& header, LeaseId lease,
                                             const std::optional<LeaseTable::Facts>& facts,
                                             bool keys);
[[nodiscard]] std::string header_answer(const GatewayHeader& header);
[[nodiscard]] std::string status_answer(const GatewayHeader& header, std::uint64_t disk_bytes);

// Lines of a watch, each with its end.
[[nodiscard]] std::string watch_created(const GatewayHeader& header, const WatchRequest& request);
/// Empty when the watch's filters leave nothing.
[[nodiscard]] std::string watch_events(const GatewayHeader& header, const WatchRequest& request,
                                       const StateFollower::Batch& batch);
/// Nothing happened; up to the header's revision, everything was told.
[[nodiscard]] std::string watch_progress(const GatewayHeader& header, const WatchRequest& request);
[[nodiscard]] std::string watch_compacted(const GatewayHeader& header, const WatchRequest& request,
                                          Revision compacted);
[[nodiscard]] std::string watch_error(const Error& error);

/// HTTP's status and the body of a failure.
struct GatewayFailure {
  int status;
  std::string body;
};
[[nodiscard]] GatewayFailure failure_answer(const Error& error);

}  // namespace shoal

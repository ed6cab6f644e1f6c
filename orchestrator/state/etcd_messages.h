#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "orchestrator/state/state.h"

namespace shoal {

// What etcd's v3 JSON gateway is asked and what it answers, as text and as plain data. Pure
// functions; the parsers take whatever a network may bring and fail with io where it is not what
// etcd sends. Keys here are etcd's own, with the driver's prefix before them; the parsers that take
// a `prefix` cut it off, and a key without it is an answer that etcd did not give.

struct EtcdRangeRequest {
  std::string key;
  std::string end;        // Behind the last; "": `key` alone.
  std::size_t limit = 0;  // 0: no limit.
  Revision revision = 0;  // 0: now.
};
[[nodiscard]] std::string range_request(const EtcdRangeRequest& request);

struct EtcdRange {
  std::vector<StateEntry> entries;
  Revision revision = 0;  // Of the whole store, when it answered.
  bool more = false;
};
[[nodiscard]] Result<EtcdRange> parse_range(std::string_view answer, std::string_view prefix);

/// `transaction` with keys behind `prefix`, and a key that is looked at if it does not take place
/// ("": none).
[[nodiscard]] std::string txn_request(const Transaction& transaction, std::string_view prefix,
                                      const std::string& look_at);

struct EtcdTxn {
  bool succeeded = false;
  Revision revision = 0;
  std::optional<StateEntry> found;  // The key that was looked at.
};
[[nodiscard]] Result<EtcdTxn> parse_txn(std::string_view answer, std::string_view prefix);

[[nodiscard]] std::string grant_request(std::int64_t ttl_seconds);
[[nodiscard]] Result<LeaseId> parse_grant(std::string_view answer);
[[nodiscard]] std::string lease_request(LeaseId lease);  // For keepalive and revoke.
/// Whether the lease lives: etcd answers 200 to a keepalive of one that does not, without its TTL.
[[nodiscard]] Result<bool> parse_keepalive(std::string_view answer);

[[nodiscard]] std::string authenticate_request(const std::string& user,
                                               const std::string& password);
[[nodiscard]] Result<std::string> parse_token(std::string_view answer);

[[nodiscard]] std::string watch_request(const std::string& key, const std::string& end,
                                        Revision from);

/// One line of a watch's answer.
struct EtcdWatchLine {
  bool created = false;
  bool canceled = false;   // Nothing follows, though the connection stays open.
  Revision compacted = 0;  // With `canceled`: history before it is gone.
  std::string reason;      // With `canceled`, or of an error that ends the stream.
  bool error = false;
  std::vector<StateChange> changes;
};
[[nodiscard]] Result<EtcdWatchLine> parse_watch_line(std::string_view line,
                                                     std::string_view prefix);

/// An answer that is not 200: the number of gRPC's status and its text. Never fails; what is not
/// etcd's has code 2 (unknown).
struct EtcdRefusal {
  std::uint64_t code = 2;
  std::string message;
};
[[nodiscard]] EtcdRefusal parse_refusal(std::string_view answer);

}  // namespace shoal

#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "storage/error.h"

namespace shoal {

/// A point in the history of the whole state: grows by one with each transaction that writes.
using Revision = std::uint64_t;
/// Names a lease; 0 is none.
using LeaseId = std::uint64_t;

struct StateEntry {
  std::string key;
  std::string value;
  Revision created = 0;   // When the key last came to be.
  Revision modified = 0;  // When it was last written.
  LeaseId lease = 0;      // The key goes when this lease ends.

  bool operator==(const StateEntry&) const = default;
};

/// What must be true of a key for a transaction to take place. A key that is not there has created
/// and modified 0.
struct Condition {
  enum class Field { created, modified };
  std::string key;
  Field field;
  Revision revision;

  [[nodiscard]] static Condition absent(std::string key) {
    return {std::move(key), Field::created, 0};
  }
  [[nodiscard]] static Condition created_at(std::string key, Revision revision) {
    return {std::move(key), Field::created, revision};
  }
  [[nodiscard]] static Condition unchanged(const StateEntry& entry) {
    return {entry.key, Field::modified, entry.modified};
  }
};

struct StateWrite {
  std::string key;
  std::optional<std::string> value;  // Nothing: the key is erased.
  LeaseId lease = 0;
};

/// If all conditions hold, all writes happen at one revision; else nothing does. No key is written
/// twice in one transaction; at most kStateWritesMax writes, kStateBytesMax bytes of all keys and
/// values.
struct Transaction {
  std::vector<Condition> conditions;
  std::vector<StateWrite> writes;
};

inline constexpr std::size_t kStateWritesMax = 100;
inline constexpr std::size_t kStateBytesMax = 1 << 20;

/// What every driver refuses, and what everybody else may rely on: fails with too_large or
/// bad_request (a key that is empty or written twice).
[[nodiscard]] Result<void> check(const Transaction& transaction);

/// Entries of a prefix in byte order of their keys, as of one revision.
struct StateList {
  std::vector<StateEntry> entries;
  Revision revision = 0;
  bool more = false;  // At least one further entry exists.
};

/// What a watch tells its sink.
struct StateChange {
  StateEntry entry;     // Erased: its key, and `modified`, the revision of the erasure.
  bool erased = false;  // By a transaction or by the end of its lease.
};
/// Everything under the prefix as of `revision`: what was known before and is not here is gone.
struct StateRelisted {
  std::vector<StateEntry> entries;
  Revision revision;
};
/// Changes in the order of their revisions, each exactly once.
struct StateChanged {
  std::vector<StateChange> changes;
  Revision revision;  // Of the last of them.
};
using StateEvent = std::variant<StateRelisted, StateChanged>;

/// Ends its watch when destroyed, after a call of the sink that is under way has returned.
class StateWatch {
 public:
  virtual ~StateWatch() = default;
};

/// The cluster's small common memory: who is a member, who leads, which tag names what.
/// Linearizable: a read sees every transaction that was acknowledged, on whichever node, before the
/// read began.
///
/// Drivers: EmbeddedState (RocksDB in this process) and EtcdState (etcd's v3 JSON gateway, which
/// the node that holds an embedded state speaks too). Thread-safe; every call may block, for
/// seconds when the state is away, and never longer than the driver's timeout. Keys are not empty.
///
/// Errors of all calls: unavailable (away, no quorum, full: the message says which), timed_out,
/// denied (credentials), too_large, or io.
class State {
 public:
  virtual ~State() = default;

  /// Nothing when there is no such key.
  [[nodiscard]] virtual Result<std::optional<StateEntry>> get(const std::string& key) = 0;

  /// Keys that begin with `prefix` and are above `after` (a whole key; "" for all), at most
  /// `limit`.
  [[nodiscard]] virtual Result<StateList> list(const std::string& prefix, const std::string& after,
                                               std::size_t limit) = 0;

  /// The revision of the writes. Fails also with conflict when a condition does not hold,
  /// lease_lost when a write names a lease that ended, and outcome_unknown when the connection
  /// broke and a look at the written keys could not tell whether it happened.
  [[nodiscard]] virtual Result<Revision> commit(const Transaction& transaction) = 0;

  /// Follows a prefix for as long as the watch lives: StateRelisted first, then StateChanged, and
  /// StateRelisted again whenever changes may have been missed (history compacted, long away).
  /// `sink` is called from the driver's thread, one call at a time, and may use the state, but must
  /// not destroy the watch. While the state is away it hears nothing and the watch goes on trying.
  using Sink = std::function<void(const StateEvent&)>;
  [[nodiscard]] virtual std::unique_ptr<StateWatch> watch(const std::string& prefix, Sink sink) = 0;

  /// A lease that ends `ttl` after the last keep(), and takes the keys that name it with it. The
  /// state may take longer to end it (after a change of its own leader), never shorter.
  [[nodiscard]] virtual Result<LeaseId> grant(std::chrono::seconds ttl) = 0;
  /// Fails also with lease_lost when it ended.
  [[nodiscard]] virtual Result<void> keep(LeaseId lease) = 0;
  /// Ends it now. A lease that is not there is a success.
  [[nodiscard]] virtual Result<void> revoke(LeaseId lease) = 0;

  /// For people: `embedded` or `etcd http://10.0.0.1:2379`.
  [[nodiscard]] virtual std::string description() const = 0;
};

}  // namespace shoal

#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "orchestrator/state/state.h"

namespace shoal {

/// The keys from `first` on that are below `end`; nothing: all the way up.
struct KeyRange {
  std::string first;
  std::optional<std::string> end;

  [[nodiscard]] static KeyRange one(std::string_view key);
  [[nodiscard]] static KeyRange prefix(std::string_view prefix);
  [[nodiscard]] bool contains(std::string_view key) const {
    return key >= first && (!end || key < *end);
  }
};

/// An entry with what etcd also counts.
struct VersionedEntry {
  StateEntry entry;
  std::uint64_t version = 0;  // Writes since the key came to be, that one included.

  bool operator==(const VersionedEntry&) const = default;
};

/// One key's part in a transaction, with what is needed to undo it.
struct RecordedChange {
  std::string key;
  std::optional<VersionedEntry> before;
  std::optional<VersionedEntry> after;  // Nothing: erased.
};

/// A transaction that wrote something.
struct RecordedCommit {
  Revision revision = 0;
  std::vector<RecordedChange> changes;  // Each of another key.

  [[nodiscard]] std::size_t bytes() const;
};

/// What stands on disk for an entry (its key is the key there) and for a change.
[[nodiscard]] std::string encode_entry(const VersionedEntry& entry);
[[nodiscard]] std::string encode_change(const RecordedChange& change);
/// Fail with corrupt.
[[nodiscard]] Result<VersionedEntry> decode_entry(std::string_view key, std::string_view record);
[[nodiscard]] Result<RecordedChange> decode_change(std::string_view record);

}  // namespace shoal

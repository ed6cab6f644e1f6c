#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "storage/error.h"

namespace shoal {

using LabelMap = std::map<std::string, std::string>;

/// What shoal writes on a container when it creates it, and the only thing by which it knows its
/// own again: `shoal.owner`, `shoal.service`, ... A container's labels never change (the engines
/// have no call for it).
struct SlotLabels {
  std::string owner;             // The cluster's id.
  std::string service;           // cccf's `id`.
  std::string slot;              // The container's name: `<id>` or `<id>-scale-<k>`.
  std::uint64_t generation = 0;  // Of the slot: grows with each placement, on whichever host.
  std::string spec_hash;         // See spec_hash() in create_document.h.
  std::string image_digest;      // `sha256:...`, which the tag meant when it was planned.
  std::string image;             // What the user wrote.

  [[nodiscard]] LabelMap to_map() const;
  /// Nothing if one is missing or not what to_map() writes: then it is not ours. Further labels,
  /// the service's own, are not looked at.
  [[nodiscard]] static std::optional<SlotLabels> parse(const LabelMap& labels);

  bool operator==(const SlotLabels&) const = default;
};

/// What all label names of shoal begin with. A service may not use them.
inline constexpr const char* kLabelPrefix = "shoal.";
inline constexpr const char* kOwnerLabel = "shoal.owner";

}  // namespace shoal

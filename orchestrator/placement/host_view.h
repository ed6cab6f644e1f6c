#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "orchestrator/placement/platform.h"
#include "orchestrator/placement/request.h"
#include "storage/digest.h"

namespace shoal {

/// How much of a layer is on a host.
struct HeldLayer {
  Digest digest;
  /// Verified bytes; nothing: all of them.
  std::optional<std::uint64_t> bytes;
  /// The rest is on its way, and is part of HostView::queue_bytes.
  bool fetching = false;
  /// The engine has it: nothing is left to unpack. Only of a layer that is here whole.
  bool unpacked = true;
};

/// A container that a host has already.
struct HostContainer {
  std::string name;  // Without Docker's slash.
  std::string id;    // The engine's, if known.
  std::string service;
  std::string image;
  std::map<std::string, std::string> labels;
  std::vector<HostPort> ports;
  Resources resources;
  /// A container that was stopped keeps its name and ports, but is no load.
  bool running = true;
};

/// Bytes a second, as measured; the defaults are what a host starts with.
struct HostRates {
  std::uint64_t fetch = 50 << 20;
  std::uint64_t unpack = 100 << 20;
  std::uint64_t upstream = 10 << 20;  // For layers that no host has.
};

/// A host as the placer sees it: values, taken at one moment.
struct HostView {
  std::string name;     // Unique: the order of hosts is that of their names.
  std::string id;       // `constraint:node==` takes it as well.
  std::string address;  // For the document's `host`; empty: the name.
  bool alive = true;
  bool draining = false;      // What runs there is to go elsewhere.
  std::uint8_t health = 100;  // 0: its engine does not work.
  Platform platform;
  std::map<std::string, std::string> labels;
  /// What the engine says of itself (`storagedriver`, `kernelversion` ...), which constraints see
  /// before labels: no label can pretend to it.
  std::map<std::string, std::string> facts;
  // Of the following, 0 is "not known", and hinders nothing.
  std::uint64_t memory_bytes = 0;
  std::uint64_t cpu_mhz = 0;  // Of all cores together.
  std::uint32_t cores = 0;
  std::optional<std::uint64_t> disk_free_bytes;
  std::uint64_t disk_reserve_bytes = 0;  // That stay free.
  HostRates rates;
  std::uint64_t queue_bytes = 0;  // Ordered, and not here yet.
  std::vector<HeldLayer> layers;
  std::vector<std::string> images;  // Names that the engine knows; `affinity:image` sees them.
  std::vector<HostContainer> containers;
};

}  // namespace shoal

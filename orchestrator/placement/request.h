#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "orchestrator/placement/expression.h"
#include "orchestrator/placement/platform.h"

namespace shoal {

/// A port of the host. Two of the same number and protocol exclude each other where one of them
/// is on all addresses, or both are on the same.
struct HostPort {
  std::string address;  // Empty, `0.0.0.0` or `::` for all.
  std::uint16_t port = 0;
  std::string protocol = "tcp";

  [[nodiscard]] std::string text() const;  // `80/tcp`, `127.0.0.1:80/tcp`
  bool operator==(const HostPort&) const = default;
};

[[nodiscard]] bool clash(const HostPort& one, const HostPort& other);

/// What a container takes of its host. Nothing that is 0 is asked for, and then no filter asks.
struct Resources {
  std::uint64_t memory_bytes = 0;
  std::uint64_t cpu_mhz = 0;          // cccf's `cpu`: a share of the sum of the cores' speeds.
  std::uint64_t cpu_thousandths = 0;  // Docker's `cpus`: of a core, whatever its speed.

  bool operator==(const Resources&) const = default;
};

/// A label over whose values a service spreads: no value has more than `max_skew` replicas above
/// the value that has fewest, of those values where a host could take the replica at all.
struct SpreadLabel {
  std::string label;
  std::uint32_t max_skew = 1;

  bool operator==(const SpreadLabel&) const = default;
};

inline constexpr std::size_t kSpreadLabelsMax = 4;
inline constexpr std::size_t kSoftExpressionsMax = 32;

/// One container that wants a host.
struct PlacementRequest {
  std::string slot;     // Its own name, `web-scale-1`: unique among the requests.
  std::string service;  // Whose replicas spread, `web`.
  std::string image;
  std::map<std::string, std::string> labels;  // That affinities of others see.
  std::vector<HostPort> ports;
  Resources resources;
  Platform platform;                    // Asked for beside what the image is made for.
  std::vector<std::string> tags;        // The host has at least one of them as a label, if any.
  std::vector<Expression> expressions;  // All hold; of soft ones, those written first weigh more.
  std::vector<std::string> beside;      // Containers that must be on the same host.
  std::vector<SpreadLabel> spread;
  /// The name or address of where it is now, if the hosts' containers do not show it.
  std::string current_host;
};

}  // namespace shoal

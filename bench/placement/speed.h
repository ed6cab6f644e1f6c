#pragma once

#include <cstddef>
#include <cstdint>

#include "bench/report.h"

namespace shoal::bench {

struct SpeedOptions {
  std::size_t hosts = 1000;
  std::size_t slots = 10'000;
  std::size_t services = 1000;  // The slots are replicas of so many.
  bool explain = false;
  std::uint64_t seed = 1;
};

/// How long it takes to place so many slots on hosts that run something and hold layers, with
/// memory, cpu, host ports, a constraint, a soft affinity and a spread label on part of the
/// services; and what it takes of memory, input not counted.
[[nodiscard]] Report measure_speed(const SpeedOptions& options);

}  // namespace shoal::bench

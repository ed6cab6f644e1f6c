#pragma once

#include <cstddef>

#include "bench/report.h"

namespace shoal::bench {

struct DirectoryOptions {
  std::size_t nodes = 100;
  std::size_t blobs = 10'000;  // Of each node,
  std::size_t shared = 2'000;  // of which all nodes have so many.
  std::size_t idle_minutes = 10;
};

/// Announces the content of a whole cluster in this process, with the announcers' own decisions and
/// the directory's own tables: time is a number, and the net a call that counts. All nodes start at
/// once; then one leaves, comes back as a new process, and its directory restarts unseen; at last
/// nothing happens for a while. Stops with an error if any directory node knows too little.
///
/// Of each phase: messages and bytes of bodies (both ways) per node, on the mean and at most; the
/// largest number in one second, of the cluster and of one receiver; how long it took.
[[nodiscard]] Report directory(const DirectoryOptions& options);

}  // namespace shoal::bench

#pragma once

#include <cstddef>
#include <filesystem>

#include "bench/report.h"

namespace shoal::bench {

struct ScaleOptions {
  std::filesystem::path directory;  // Emptied before and after.
  std::size_t blobs = 1'000'000;    // In one repository, a few bytes each.
  std::size_t tags = 100'000;       // In the same repository, all on one manifest.
  unsigned threads = 48;            // That fill the store.
};

/// Fills a store of its own, in this process, and then asks it for what requests ask: blobs spread
/// over all of it, pages of tags from all over the list, deletes. Medians and 99th percentiles in
/// microseconds of wall time, one caller.
[[nodiscard]] Report scale(const ScaleOptions& options);

}  // namespace shoal::bench

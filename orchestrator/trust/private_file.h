#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "storage/error.h"

namespace shoal {

/// Replaces the file `path` by `text`, readable by its owner alone: a kill or power loss at any
/// moment leaves the old file or the new one, whole. Creates the folder (0700). One writer at a
/// time for each path. Fails with disk_full or io.
[[nodiscard]] Result<void> write_private_file(const std::filesystem::path& path,
                                              std::string_view text);

/// Fails with member_unknown when there is no such file, else with io; files above 1 MiB are none
/// of ours: corrupt.
[[nodiscard]] Result<std::string> read_private_file(const std::filesystem::path& path);

}  // namespace shoal

#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "bench/connection.h"

namespace shoal::bench {

// A file over one bare TCP connection, with nothing between the bytes and the system calls: what
// moving them costs at least. Every failure ends the program.

/// Waits for one connection and sends it the file by sendfile(2).
void send_file(const Descriptor& listener, const std::filesystem::path& file);

/// Writes all that comes from `address` to a new file and syncs it once; ends the program unless it
/// is `size` bytes.
void receive_file(const std::string& address, const std::filesystem::path& file,
                  std::uint64_t size);

}  // namespace shoal::bench

#pragma once

#include <chrono>
#include <cstdint>
#include <iosfwd>
#include <string>
#include <string_view>
#include <vector>

#include "storage/clock.h"

namespace shoal {

/// Text for people's eyes; exact values are what --json is for.

/// `0 B`, `12.3 MiB`.
[[nodiscard]] std::string human_bytes(std::uint64_t bytes);

/// `3 hours ago`, `just now`; a time in the future is now.
[[nodiscard]] std::string human_age(UnixTime then, UnixTime now);

/// `340 ms`, `4.2 s`, `42 s`, `3 min 20 s`, `2 h 5 min`, `3 d 1 h`.
[[nodiscard]] std::string human_duration(std::chrono::milliseconds duration);

/// `1 layer`, `3 layers`.
[[nodiscard]] std::string counted(std::uint64_t count, std::string_view noun);

/// The text with everything that could steer a terminal replaced by `?`: names, labels and types
/// come from strangers.
[[nodiscard]] std::string printable(std::string_view text);

/// Rows under headings, in columns as wide as they need. A heading that begins with `>` aligns its
/// column to the right. Every cell goes through printable().
class Table {
 public:
  explicit Table(std::vector<std::string> headings);

  /// `cells` has as many entries as there are headings.
  void add(std::vector<std::string> cells);
  void print(std::ostream& out) const;

 private:
  std::vector<bool> right_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace shoal

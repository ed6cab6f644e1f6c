#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace shoal {

/// Makes lines of bytes that come in pieces. Not thread-safe.
class LineSplitter {
 public:
  /// A line beyond `bytes_max` is handed out in parts of that size.
  explicit LineSplitter(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  using Sink = std::function<void(std::string_view line)>;
  /// Hands each complete line to `sink`, without its end: `\n` or `\r\n`.
  void add(std::string_view bytes, const Sink& sink);
  /// What is left at the end of the stream, if anything.
  void finish(const Sink& sink);

 private:
  const std::size_t bytes_max_;
  std::string partial_;
};

}  // namespace shoal

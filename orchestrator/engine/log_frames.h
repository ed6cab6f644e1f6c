#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "storage/error.h"

namespace shoal {

enum class LogStream : std::uint8_t { in = 0, out = 1, error = 2 };

/// Takes apart what an engine sends of a container without a terminal: frames of 8 bytes (stream,
/// 0, 0, 0, length as 32 bits big-endian) and the text of one entry (Docker Engine API, "Attach to
/// a container, stream format"). Memory is bounded by a frame. Not thread-safe.
class LogFrames {
 public:
  /// Longer entries than any engine writes (Docker cuts at 16 KiB, podman not at all).
  static constexpr std::uint32_t kFrameBytesMax = 16 << 20;

  /// `text` is valid during the call.
  using Sink = std::function<void(LogStream stream, std::string_view text)>;
  /// Fails with io when it is not such a stream; nothing can be read of it any more then.
  [[nodiscard]] Result<void> add(std::string_view bytes, const Sink& sink);
  /// Whether the stream may end here.
  [[nodiscard]] bool between_frames() const { return partial_.empty(); }

 private:
  std::string partial_;  // A frame that is not complete.
};

}  // namespace shoal

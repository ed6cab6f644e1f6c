#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "storage/error.h"

namespace shoal {

/// An instant as engines write it: Docker to the nanosecond, podman's logs to the second.
struct EngineTime {
  std::int64_t seconds = 0;  // Since 1970, UTC.
  std::int32_t nanoseconds = 0;

  auto operator<=>(const EngineTime&) const = default;
};

/// RFC 3339, `2026-11-27T12:17:26.762371924Z` or with an offset; nothing for anything else.
[[nodiscard]] std::optional<EngineTime> parse_engine_time(std::string_view text);

/// How far a log was read: all entries before `time`, and `count` of those that carry exactly it
/// (podman stamps a whole second's entries alike). It is valid again after a restart of shoal or of
/// the engine, since both are the log's own.
struct LogCursor {
  EngineTime time;
  std::uint32_t count = 0;

  /// `SECONDS.NANOSECONDS+COUNT`, as it is kept.
  [[nodiscard]] std::string text() const;
  /// Fails with bad_request.
  [[nodiscard]] static Result<LogCursor> parse(std::string_view text);

  auto operator<=>(const LogCursor&) const = default;
};

/// Leaves out what was read already when a log is read again from a cursor's second on.
class LogResume {
 public:
  explicit LogResume(LogCursor from) : from_(from), cursor_(from) {}

  /// Whether the entry with this time, the next of the stream, is new. Moves the cursor if it is.
  [[nodiscard]] bool take(EngineTime time);
  [[nodiscard]] const LogCursor& cursor() const { return cursor_; }

 private:
  const LogCursor from_;
  std::uint32_t repeated_ = 0;  // Entries with the time of `from_` that came again.
  LogCursor cursor_;
};

}  // namespace shoal

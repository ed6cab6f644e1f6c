// What an engine sends of a container's log: the container chooses the text, and a broken engine
// the rest.

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "orchestrator/engine/log_cursor.h"
#include "orchestrator/engine/log_frames.h"
#include "tests/fuzz/require.h"

namespace {

struct Taken {
  std::string text;
  std::size_t entries = 0;
  bool good = true;

  bool operator==(const Taken&) const = default;
};

Taken take(std::string_view bytes, std::size_t piece) {
  shoal::LogFrames frames;
  Taken taken;
  const auto sink = [&](shoal::LogStream stream, std::string_view text) {
    taken.text += static_cast<char>('0' + static_cast<int>(stream));
    taken.text += text;
    ++taken.entries;
  };
  while (!bytes.empty() && taken.good) {
    const auto size = std::min(piece, bytes.size());
    taken.good = frames.add(bytes.substr(0, size), sink).has_value();
    bytes.remove_prefix(size);
  }
  return taken;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const Taken whole = take(bytes, std::max<std::size_t>(size, 1));
  SHOAL_REQUIRE(whole.text.size() <= size);
  SHOAL_REQUIRE(whole.entries * 8 <= size);
  // The same entries, however the bytes were cut.
  SHOAL_REQUIRE(take(bytes, 1) == whole);
  SHOAL_REQUIRE(take(bytes, 7) == whole);

  if (const auto cursor = shoal::LogCursor::parse(bytes)) {
    SHOAL_REQUIRE(shoal::LogCursor::parse(cursor->text()) == *cursor);
  }
  if (const auto time = shoal::parse_engine_time(bytes)) {
    SHOAL_REQUIRE(time->nanoseconds >= 0 && time->nanoseconds < 1'000'000'000);
  }
  return 0;
}

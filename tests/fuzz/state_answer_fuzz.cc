// What an etcd, or something that stands in its place, may answer.

#include <cstdint>
#include <string_view>

#include "orchestrator/state/etcd_messages.h"
#include "tests/fuzz/require.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  constexpr std::string_view kPrefix = "shoal/v1/";
  if (const auto range = shoal::parse_range(text, kPrefix)) {
    SHOAL_REQUIRE(range->entries.size() <= text.size());
  } else {
    SHOAL_REQUIRE(range.error().code == shoal::Errc::io);
  }
  static_cast<void>(shoal::parse_txn(text, kPrefix));
  static_cast<void>(shoal::parse_grant(text));
  static_cast<void>(shoal::parse_keepalive(text));
  static_cast<void>(shoal::parse_token(text));
  static_cast<void>(shoal::parse_watch_line(text, kPrefix));
  static_cast<void>(shoal::parse_refusal(text));
  return 0;
}

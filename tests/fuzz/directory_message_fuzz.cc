// The directory's messages: what parses is exactly what encode() writes; of an answer to a lookup,
// says the same when it is written again.

#include <cstdint>
#include <string_view>

#include "p2p/directory_messages.h"
#include "tests/fuzz/require.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  if (const auto message = shoal::parse_announce(body)) {
    SHOAL_REQUIRE(message->adds.size() + message->removes.size() <= shoal::kAnnounceDigestsMax);
    SHOAL_REQUIRE(shoal::encode(*message) == body);
  }
  if (const auto answer = shoal::parse_announce_answer(body)) {
    SHOAL_REQUIRE(shoal::encode(*answer) == body);
  }
  if (const auto lookup = shoal::parse_lookup(body)) {
    SHOAL_REQUIRE(lookup->digests.size() <= shoal::kLookupDigestsMax);
    SHOAL_REQUIRE(shoal::encode(*lookup) == body);
  }
  for (const std::size_t digests : {0, 1, 2, 7}) {
    if (const auto answer = shoal::parse_lookup_answer(body, digests)) {
      SHOAL_REQUIRE(answer->holders.size() == digests);
      SHOAL_REQUIRE(answer->fetchers.size() == digests);
      for (const auto& holders : answer->holders) {
        SHOAL_REQUIRE(holders.size() <= shoal::kLookupHoldersMax);
      }
      for (const auto& fetchers : answer->fetchers) {
        SHOAL_REQUIRE(fetchers.size() <= shoal::kLookupFetchersMax);
      }
      const auto again = shoal::parse_lookup_answer(shoal::encode(*answer), digests);
      SHOAL_REQUIRE(again && *again == *answer);
    }
  }
  return 0;
}

// What a stranger sends to the port between nodes before it has a certificate.

#include <cstdint>
#include <string_view>

#include "orchestrator/membership/join.h"
#include "tests/fuzz/require.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto request = shoal::parse_join_request(text)) {
    SHOAL_REQUIRE(request->member.urls.size() <= shoal::kMemberUrlsMax);
    SHOAL_REQUIRE(request->member.labels.size() <= shoal::kMemberLabelsMax);
    SHOAL_REQUIRE(shoal::parse_join_request(shoal::to_json(*request)).has_value());
  } else {
    const auto code = request.error().code;
    SHOAL_REQUIRE(code == shoal::Errc::bad_request || code == shoal::Errc::denied);
  }
  if (const auto token = shoal::JoinToken::parse(text)) {
    SHOAL_REQUIRE(shoal::JoinToken::parse(token->text()) == *token);
  }
  static_cast<void>(shoal::parse_join_answer(text));
  return 0;
}

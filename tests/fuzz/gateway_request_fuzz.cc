// What a member, or a program that was made for etcd, may ask of the embedded state. The first byte
// chooses the path.

#include <cstdint>
#include <string_view>

#include "orchestrator/state/gateway_requests.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::string_view kPaths[] = {
      "kv/range",    "kv/put",          "kv/deleterange", "kv/txn",           "watch",
      "lease/grant", "lease/keepalive", "lease/revoke",   "lease/timetolive", "maintenance/status"};
  if (size == 0) return 0;
  const auto path = kPaths[data[0] % std::size(kPaths)];
  static_cast<void>(shoal::parse_gateway_request(
      path, std::string_view(reinterpret_cast<const char*>(data) + 1, size - 1)));
  return 0;
}

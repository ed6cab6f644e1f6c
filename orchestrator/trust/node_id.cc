#include "orchestrator/trust/node_id.h"

#include <algorithm>

#include "orchestrator/trust/openssl.h"

namespace shoal {
namespace {

constexpr std::string_view kAlphabet = "abcdefghijklmnopqrstuvwxyz234567";  // RFC 4648, 6.
constexpr std::size_t kLetters = 10;

Result<std::string> make_id(std::string_view prefix) {
  const auto bytes = openssl::random_bytes(kLetters);
  if (!bytes) return tl::unexpected(bytes.error());
  std::string id(prefix);
  for (const char byte : *bytes) {
    id += kAlphabet[static_cast<unsigned char>(byte) % kAlphabet.size()];
  }
  return id;
}

}  // namespace

Result<std::string> make_node_id() { return make_id("n-"); }
Result<std::string> make_cluster_id() { return make_id("c-"); }

bool is_node_id(std::string_view text) {
  if (!text.starts_with("n-") || text.size() != 2 + kLetters) return false;
  return text.find_first_not_of(kAlphabet, 2) == text.npos;
}

}  // namespace shoal

#include "orchestrator/trust/join_token.h"

#include <algorithm>

#include <fmt/format.h>

#include "orchestrator/state/etcd_json.h"
#include "orchestrator/trust/openssl.h"
#include "storage/digest.h"

namespace shoal {
namespace {

// The authority's SHA-256, the id, the secret, and four bytes of the SHA-256 of all that. A
// multiple of three: the text needs no padding, and every letter counts.
constexpr std::size_t kAuthorityBytes = 32;
constexpr std::size_t kIdBytes = 8;
constexpr std::size_t kSecretBytes = 16;
constexpr std::size_t kSumBytes = 4;
constexpr std::size_t kLetters = 80;
static_assert((kAuthorityBytes + kIdBytes + kSecretBytes + kSumBytes) * 4 == kLetters * 3);

constexpr std::string_view kKind = "shoal";
constexpr std::string_view kPrefix = "shoal1.";

std::string to_hex(std::string_view bytes) {
  std::string hex;
  for (const char byte : bytes) hex += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  return hex;
}

/// `hex` is our own.
std::string from_hex(std::string_view hex) {
  const auto value = [](char digit) { return digit <= '9' ? digit - '0' : digit - 'a' + 10; };
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes += static_cast<char>(value(hex[i]) * 16 + value(hex[i + 1]));
  }
  return bytes;
}

std::string check_sum(std::string_view bytes) {
  return Digest::of(bytes).key().substr(1, kSumBytes);
}

/// RFC 4648, 5: `-` and `_` where base64 has `+` and `/`.
std::string swap_alphabet(std::string_view text, std::string_view from, std::string_view to) {
  std::string swapped(text);
  for (std::size_t i = 0; i < from.size(); ++i) {
    std::replace(swapped.begin(), swapped.end(), from[i], to[i]);
  }
  return swapped;
}

}  // namespace

Result<JoinToken> JoinToken::parse(std::string_view text) {
  if (!text.starts_with(kKind)) {
    return fail(Errc::usage,
                "this is not a join token: one begins with `shoal1.` "
                "(`shoal token create` on a member prints it)");
  }
  if (!text.starts_with(kPrefix)) {
    return fail(Errc::usage,
                "this join token is of another version of shoal: "
                "this one knows those that begin with `shoal1.`");
  }
  const auto letters = text.substr(kPrefix.size());
  if (letters.size() != kLetters) {
    return fail(Errc::usage, fmt::format("the join token is not whole: it has {} letters behind "
                                         "`shoal1.` and must have {}; copy it again",
                                         letters.size(), kLetters));
  }
  // The other alphabet's own two letters are not ours.
  const bool foreign = letters.find_first_of("+/=") != letters.npos;
  const auto bytes = foreign ? std::nullopt : from_base64(swap_alphabet(letters, "-_", "+/"));
  if (!bytes) {
    return fail(Errc::usage, "the join token has a letter that none has; copy it again");
  }
  const auto body = std::string_view(*bytes).substr(0, bytes->size() - kSumBytes);
  if (!bytes->ends_with(check_sum(body))) {
    return fail(Errc::usage,
                "the join token was changed on its way (its check sum is wrong); "
                "copy it again");
  }
  JoinToken token;
  token.authority_sha256 = to_hex(body.substr(0, kAuthorityBytes));
  token.id = to_hex(body.substr(kAuthorityBytes, kIdBytes));
  token.secret = body.substr(kAuthorityBytes + kIdBytes);
  return token;
}

Result<JoinToken> JoinToken::make(const std::string& authority_sha256) {
  const auto random = openssl::random_bytes(kIdBytes + kSecretBytes);
  if (!random) return tl::unexpected(random.error());
  return JoinToken{authority_sha256, to_hex(random->substr(0, kIdBytes)), random->substr(kIdBytes)};
}

std::string JoinToken::text() const {
  auto bytes = from_hex(authority_sha256) + from_hex(id) + secret;
  bytes += check_sum(bytes);
  return std::string(kPrefix) + swap_alphabet(base64(bytes), "+/", "-_");
}

}  // namespace shoal

#include "p2p/swarm/message_filter.h"

#include <random>

#include <catch2/catch.hpp>

namespace shoal {
namespace {

std::string message(char kind, std::size_t payload) {
  const auto length = static_cast<std::uint32_t>(1 + payload);
  std::string text;
  for (int shift = 24; shift >= 0; shift -= 8) text += static_cast<char>(length >> shift);
  return text + kind + std::string(payload, kind);
}

TEST_CASE("A connection goes through the filter as it is, but for requests for hashes",
          "[p2p][swarm][tunnel]") {
  std::mt19937 random(GENERATE(range(1u, 30u)));
  const auto below = [&](std::size_t bound) {
    return std::uniform_int_distribution<std::size_t>(0, bound - 1)(random);
  };
  std::string sent(68, 'h'), wanted = sent;
  for (int i = 0; i < 200; ++i) {
    const auto kind = static_cast<char>(below(3) == 0 ? 21 : below(24));
    const auto one =
        below(10) == 0 ? std::string(4, '\0') : message(kind, below(20) == 0 ? 16393 : below(60));
    sent += one;
    if (one.size() == 4 || kind != 21) wanted += one;
  }
  const auto most = GENERATE(2, 7, 100, 100'000);
  MessageFilter filter;
  std::string came;
  for (std::size_t at = 0; at < sent.size();) {
    const auto size = 1 + below(static_cast<std::size_t>(most));
    came += filter.apply(std::string_view(sent).substr(at, size));
    at += size;
  }
  CHECK(came == wanted);
}

TEST_CASE("What has nothing to be left out is not copied", "[p2p][swarm][tunnel]") {
  MessageFilter filter;
  const auto text = std::string(68, 'h') + message(7, 16393) + message(4, 4);
  CHECK(filter.apply(text).data() == text.data());
  const auto next = message(6, 12);
  CHECK(filter.apply(next).data() == next.data());
  CHECK(filter.apply(message(21, 48)).empty());
}

}  // namespace
}  // namespace shoal

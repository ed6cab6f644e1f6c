#include "p2p/directory_messages.h"

#include <random>

#include <catch2/catch.hpp>

namespace shoal {
namespace {

std::vector<Digest> digests(std::size_t count, Algorithm algorithm = Algorithm::sha256) {
  std::vector<Digest> list;
  for (std::size_t i = 0; i < count; ++i) list.push_back(Digest::of(std::to_string(i), algorithm));
  return list;
}

Announce announce() {
  Announce message;
  message.holder = "node-a";
  message.boot = 0x1122334455667788;
  message.epoch = 7;
  message.sequence = UINT64_MAX;
  message.complete = true;
  message.adds = digests(3);
  message.removes = digests(2, Algorithm::sha512);
  return message;
}

LookupAnswer answer() {
  LookupAnswer message;
  message.boot = 9;
  message.age = std::chrono::seconds(12345);
  message.holders = {{"node-a", "node-b"}, {}, {"node-b"}};
  message.fetchers = {{}, {"node-c", "node-b"}, {"node-c"}};
  return message;
}

TEST_CASE("Messages survive the way", "[p2p][directory]") {
  CHECK(parse_announce(encode(announce())) == announce());
  Announce empty;
  empty.holder = "b";
  CHECK(parse_announce(encode(empty)) == empty);
  for (const bool fresh : {false, true}) {
    for (const bool full : {false, true}) {
      const AnnounceAnswer message{UINT64_MAX, fresh, full};
      CHECK(parse_announce_answer(encode(message)) == message);
    }
  }
  for (const bool fetches : {false, true}) {
    const Lookup lookup{digests(5), fetches};
    CHECK(parse_lookup(encode(lookup)) == lookup);
  }
  CHECK(parse_lookup_answer(encode(answer()), 3) == answer());
}

TEST_CASE("An announcement is little more than its digests", "[p2p][directory]") {
  Announce message = announce();
  message.adds = digests(kAnnounceDigestsMax);
  message.removes.clear();
  const auto body = encode(message);
  CHECK(body.size() <= 33 * kAnnounceDigestsMax + 50);
  CHECK(parse_announce(body) == message);
}

TEST_CASE("The largest messages fit into a body", "[p2p][directory]") {
  Announce message = announce();
  message.holder = std::string(255, 'n');
  message.adds = digests(kAnnounceDigestsMax, Algorithm::sha512);
  message.removes.clear();
  CHECK(encode(message).size() <= kDirectoryBodyBytesMax);
  CHECK(encode(Lookup{message.adds, true}).size() <= kDirectoryBodyBytesMax);
  LookupAnswer found;
  for (std::size_t i = 0; i < kLookupDigestsMax; ++i) {
    auto& holders = found.holders.emplace_back();
    for (std::size_t j = 0; j < kLookupHoldersMax; ++j) {
      holders.push_back("node-" + std::to_string((i + j) % 1000));
    }
    auto& fetchers = found.fetchers.emplace_back();
    for (std::size_t j = 0; j < kLookupFetchersMax; ++j) {
      fetchers.push_back("node-" + std::to_string((i + j) % 1000 + 500));
    }
  }
  const auto body = encode(found);
  CHECK(body.size() <= kDirectoryBodyBytesMax);
  CHECK(parse_lookup_answer(body, kLookupDigestsMax) == found);
}

TEST_CASE("A message of another version, of another kind or with too much in it is refused",
          "[p2p][directory]") {
  auto body = encode(announce());
  SECTION("version") { body[0] = 2; }
  SECTION("kind") { body[1] = 'L'; }
  SECTION("flags") { body[2] = 2; }
  SECTION("an empty name") { body = body.substr(0, 3) + '\0' + body.substr(4 + 6); }
  SECTION("an algorithm that nobody knows") { body[body.size() - 65] = 3; }
  SECTION("a byte more") { body += '\0'; }
  SECTION("too many digests") {
    auto message = announce();
    message.adds = digests(kAnnounceDigestsMax);
    message.removes = digests(1);
    body = encode(message);
  }
  const auto parsed = parse_announce(body);
  REQUIRE_FALSE(parsed);
  CHECK(parsed.error().code == Errc::bad_request);
  CHECK(parsed.error().message.starts_with("not a directory message: "));
}

TEST_CASE("A lookup with an unknown flag, of too many digests or without flags is refused",
          "[p2p][directory]") {
  Lookup lookup{digests(3), true};
  auto body = encode(lookup);
  SECTION("flags") { body[2] = 3; }
  SECTION("none") { body.erase(2, 1); }
  SECTION("too many digests") {
    lookup.digests = digests(kLookupDigestsMax + 1);
    body = encode(lookup);
  }
  const auto parsed = parse_lookup(body);
  REQUIRE_FALSE(parsed);
  CHECK(parsed.error().code == Errc::bad_request);
}

TEST_CASE("A node without a name and another number of answers are refused", "[p2p][directory]") {
  const auto body = encode(answer());
  CHECK_FALSE(parse_lookup_answer(body, 2));
  CHECK_FALSE(parse_lookup_answer(body, 4));
  auto nameless = body;
  SECTION("a fetcher") { nameless.back() = 3; }  // Its index: there are three names.
  SECTION("a holder") { nameless[body.size() - 4] = 3; }
  CHECK_FALSE(parse_lookup_answer(nameless, 3));
}

TEST_CASE("An answer with more holders or fetchers than there may be is refused",
          "[p2p][directory]") {
  LookupAnswer message;
  message.holders = {std::vector<std::string>(kLookupHoldersMax, "a")};
  message.fetchers = {std::vector<std::string>(kLookupFetchersMax, "b")};
  CHECK(parse_lookup_answer(encode(message), 1) == message);
  SECTION("holders") { message.holders[0].push_back("c"); }
  SECTION("fetchers") { message.fetchers[0].push_back("c"); }
  const auto parsed = parse_lookup_answer(encode(message), 1);
  REQUIRE_FALSE(parsed);
  CHECK(parsed.error().code == Errc::bad_request);
}

/// Whether a parser took the text; never anything else happens.
int parse_all(std::string_view body) {
  return static_cast<int>(parse_announce(body).has_value()) +
         static_cast<int>(parse_announce_answer(body).has_value()) +
         static_cast<int>(parse_lookup(body).has_value()) +
         static_cast<int>(parse_lookup_answer(body, 3).has_value());
}

TEST_CASE("A message that was cut off anywhere is refused", "[p2p][directory]") {
  for (const auto& body : {encode(announce()), encode(AnnounceAnswer{1, true, false}),
                           encode(Lookup{digests(3), true}), encode(answer())}) {
    CHECK(parse_all(body) == 1);
    for (std::size_t size = 0; size < body.size(); ++size) {
      CHECK(parse_all(std::string_view(body).substr(0, size)) == 0);
    }
  }
}

TEST_CASE("What parses says the same when it is written again, whatever the bytes were",
          "[p2p][directory]") {
  std::mt19937_64 random(7);
  const std::vector<std::string> seeds = {encode(announce()),
                                          encode(AnnounceAnswer{1, true, false}),
                                          encode(Lookup{digests(3), true}), encode(answer())};
  int parsed = 0;
  for (int round = 0; round < 20'000; ++round) {
    auto body = seeds[random() % seeds.size()];
    const auto changes = 1 + random() % 4;
    for (std::uint64_t i = 0; i < changes; ++i) {
      body[random() % body.size()] = static_cast<char>(random());
    }
    if (random() % 4 == 0) body.resize(random() % (2 * body.size()));
    if (const auto message = parse_announce(body)) {
      ++parsed;
      CHECK(encode(*message) == body);
    }
    if (const auto message = parse_lookup(body)) {
      ++parsed;
      CHECK(encode(*message) == body);
    }
    if (const auto message = parse_announce_answer(body)) CHECK(encode(*message) == body);
    if (const auto message = parse_lookup_answer(body, 3)) {
      CHECK(parse_lookup_answer(encode(*message), 3) == *message);
    }
  }
  CHECK(parsed > 100);
  for (int round = 0; round < 5000; ++round) {
    std::string noise(random() % 300, '\0');
    for (auto& c : noise) c = static_cast<char>(random());
    CHECK(parse_all(noise) == 0);
  }
}

}  // namespace
}  // namespace shoal

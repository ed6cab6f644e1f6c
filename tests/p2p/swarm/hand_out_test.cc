#include "p2p/swarm/hand_out.h"

#include <algorithm>
#include <memory>
#include <random>
#include <set>

#include <catch2/catch.hpp>

namespace shoal {
namespace {

using Pieces = std::vector<std::uint32_t>;

using std::chrono::milliseconds;

constexpr HandOut::Peer kA = 1, kB = 2, kC = 3;
constexpr HandOut::Time kNow{std::chrono::hours(1)};

TEST_CASE("Each piece is given to one peer, from the front on", "[p2p][swarm]") {
  HandOut seed(64, 0);
  seed.join(kA);
  seed.join(kB);
  CHECK(seed.next(kA, 2, kNow) == Pieces{0, 1});
  CHECK(seed.next(kB, 2, kNow) == Pieces{2, 3});
  CHECK_FALSE(seed.next(kA, 2, kNow));  // No news.
  seed.got(kA, 0, kNow);
  CHECK(seed.next(kA, 2, kNow) == Pieces{1, 4});
  // What it got from another is not given to it, nor what somebody has while there is more.
  seed.got(kB, 0, kNow);
  seed.got(kB, 5, kNow);
  seed.got(kB, 2, kNow);
  CHECK(seed.next(kB, 2, kNow) == Pieces{3, 6});
  CHECK(seed.next(kA, 4, kNow) == Pieces{1, 4, 7, 8});
}

TEST_CASE("Seeds begin at different places of a part, and all of them with the first part",
          "[p2p][swarm]") {
  HandOut one(100, 3), other(100, 20);
  one.join(kA);
  other.join(kA);
  const auto first = one.next(kA, 8, kNow), second = other.next(kA, 8, kNow);
  REQUIRE(first);
  REQUIRE(second);
  for (const auto piece : *first) {
    CHECK(piece < 32);
    CHECK(std::find(second->begin(), second->end(), piece) == second->end());
  }
}

TEST_CASE("What a peer took with it when it left is given to others", "[p2p][swarm]") {
  HandOut seed(4, 0);
  seed.join(kA);
  seed.join(kB);
  CHECK(seed.next(kA, 3, kNow) == Pieces{0, 1, 2});
  seed.got(kA, 0, kNow);
  seed.leave(kA);
  CHECK(seed.next(kB, 4, kNow) == Pieces{0, 1, 2, 3});
  CHECK_FALSE(seed.next(kA, 3, kNow));
  seed.leave(kA);  // Nothing happens.
}

TEST_CASE("Who has all is given nothing, and does not count", "[p2p][swarm]") {
  HandOut seed(3, 0);
  seed.join(kA);
  seed.join(kB);
  seed.has(kA, {true, true, true}, kNow);
  CHECK_FALSE(seed.next(kA, 2, kNow));
  CHECK(seed.next(kB, 2, kNow) == Pieces{0, 1});
}

TEST_CASE("Who has nothing to do gets what others have not begun with", "[p2p][swarm]") {
  HandOut seed(6, 0);
  for (const auto peer : {kA, kB}) seed.join(peer);
  CHECK(seed.next(kA, 3, kNow) == Pieces{0, 1, 2});
  CHECK(seed.next(kB, 3, kNow) == Pieces{3, 4, 5});
  seed.asked(kA, 0);
  for (const auto piece : {3u, 4u, 5u}) seed.got(kB, piece, kNow);
  // The last of A's, but not the first, even if A has not begun with it.
  CHECK(seed.next(kB, 1, kNow) == Pieces{2});
  CHECK(seed.next(kA, 2, kNow) == Pieces{0, 1});
  seed.got(kB, 2, kNow);
  CHECK(seed.next(kB, 1, kNow) == Pieces{1});
  seed.got(kB, 1, kNow);
  CHECK(seed.next(kB, 1, kNow) == Pieces{});
}

TEST_CASE("What is on its way to a peer for too long is given to another", "[p2p][swarm]") {
  HandOut seed(2, 0);
  for (const auto peer : {kA, kB, kC}) seed.join(peer);
  CHECK(seed.next(kA, 1, kNow) == Pieces{0});
  CHECK(seed.next(kB, 1, kNow) == Pieces{1});
  seed.asked(kA, 0);
  seed.got(kB, 1, kNow + milliseconds(400));
  CHECK(seed.next(kC, 2, kNow + milliseconds(800)) == Pieces{1});
  CHECK(seed.next(kC, 2, kNow + milliseconds(1700)) == Pieces{1, 0});
}

TEST_CASE("When all was given, what few have is given again", "[p2p][swarm]") {
  HandOut seed(3, 0);
  for (const auto peer : {kA, kB, kC}) seed.join(peer);
  for (const auto piece : {0u, 1u}) {
    seed.got(kA, piece, kNow);
    seed.got(kB, piece, kNow);
  }
  seed.got(kA, 2, kNow);
  CHECK(seed.next(kC, 1, kNow) == Pieces{2});
}

TEST_CASE("Wrong numbers from peers change nothing", "[p2p][swarm]") {
  HandOut seed(3, 0);
  seed.join(kA);
  seed.got(kA, 3, kNow);
  seed.got(kB, 0, kNow);
  seed.asked(kA, 77);
  seed.has(kA, std::vector<bool>(100, false), kNow);
  CHECK(seed.next(kA, 10, kNow) == Pieces{0, 1, 2});
}

/// Peers of different speed that come and go, and give each other what they have.
TEST_CASE("A seed sends little more than one copy, and everybody gets everything", "[p2p][swarm]") {
  const auto salt = GENERATE(range(0u, 20u));
  std::mt19937 random(salt);
  const auto between = [&](std::uint32_t least, std::uint32_t most) {
    return std::uniform_int_distribution<std::uint32_t>(least, most)(random);
  };
  const auto pieces = between(50, 200);
  const auto count = between(2, 12);
  INFO("salt " << salt << ", " << pieces << " pieces, " << count << " peers");
  struct Fetcher {
    HandOut::Peer id;
    std::set<std::uint32_t> has;
    Pieces given;
    std::uint32_t slowness;
  };
  HandOut seed(pieces, salt);
  std::vector<Fetcher> fetchers;
  for (HandOut::Peer id = 0; id < count; ++id) {
    fetchers.push_back({id, {}, {}, between(1, 3)});
    seed.join(id);
  }
  std::set<std::uint32_t> sent;
  std::size_t sent_again = 0;
  std::uint32_t step = 0;
  for (; step < 100 * pieces && !fetchers.empty(); ++step) {
    const std::size_t at = between(0, static_cast<std::uint32_t>(fetchers.size() - 1));
    auto& fetcher = fetchers[at];
    const auto get = [&](std::uint32_t piece) {
      if (fetcher.has.insert(piece).second) seed.got(fetcher.id, piece, kNow);
    };
    if (const auto now = seed.next(fetcher.id, 2, kNow)) fetcher.given = *now;
    std::erase_if(fetcher.given, [&](auto piece) { return fetcher.has.contains(piece); });
    if (step % fetcher.slowness == 0 && !fetcher.given.empty()) {
      const auto piece = fetcher.given.front();
      REQUIRE(piece < pieces);
      seed.asked(fetcher.id, piece);
      if (!sent.insert(piece).second) ++sent_again;
      get(piece);
    }
    // And, faster than that, from each other.
    for (const auto& other : fetchers) {
      for (const auto piece : other.has) {
        if (between(0, 3) == 0) get(piece);
      }
    }
    if (fetcher.has.size() == pieces) fetchers.erase(fetchers.begin() + static_cast<long>(at));
    // One leaves in the middle with what it alone may have.
    if (fetchers.size() > 2 && step == pieces / 2) {
      seed.leave(fetchers.back().id);
      fetchers.pop_back();
    }
  }
  CHECK(fetchers.empty());
  CHECK(sent_again <= pieces / 5 + 2 * count);
}

}  // namespace
}  // namespace shoal

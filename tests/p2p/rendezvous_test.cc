#include "p2p/rendezvous.h"

#include <algorithm>
#include <map>

#include <catch2/catch.hpp>

namespace shoal {
namespace {

std::vector<std::string> nodes(int count) {
  std::vector<std::string> ids;
  for (int i = 0; i < count; ++i) ids.push_back("node-" + std::to_string(i));
  return ids;
}

Digest blob(int number) { return Digest::of("blob " + std::to_string(number)); }

std::vector<std::string> top(const Rendezvous& rendezvous, const Digest& digest,
                             std::size_t count) {
  std::vector<std::string> ids;
  for (const auto index : rendezvous.top(rendezvous_word(digest), count)) {
    ids.push_back(rendezvous.ids()[index]);
  }
  return ids;
}

TEST_CASE("The weight is what the protocol says, for ever", "[p2p][rendezvous]") {
  const auto digest =
      *Digest::parse("sha256:0123456789abcdef000000000000000000000000000000000000000000000000");
  CHECK(rendezvous_word(digest) == 0x0123456789abcdef);
  // Computed by an implementation of the header's text in another language.
  CHECK(rendezvous_weight(0x0123456789abcdef, "a") == 0x03145ee55b8912bd);
  CHECK(rendezvous_weight(0x0123456789abcdef, "node-17") == 0x123c0e5aa758e03f);
  CHECK(rendezvous_weight(0, "") == 0x8932c885a3fe960e);
}

TEST_CASE("The first are those with the highest weights, in order", "[p2p][rendezvous]") {
  const Rendezvous rendezvous(nodes(20));
  for (int i = 0; i < 200; ++i) {
    const auto word = rendezvous_word(blob(i));
    auto all = rendezvous.ids();
    std::sort(all.begin(), all.end(), [word](const auto& a, const auto& b) {
      return rendezvous_weight(word, a) > rendezvous_weight(word, b);
    });
    CHECK(top(rendezvous, blob(i), 20) == all);
    all.resize(3);
    CHECK(top(rendezvous, blob(i), 3) == all);
  }
  CHECK(top(rendezvous, blob(0), 0).empty());
  CHECK(top(rendezvous, blob(0), 50).size() == 20);
  CHECK(top(Rendezvous(), blob(0), 3).empty());
}

TEST_CASE("Neither the order nor repetitions of the ids matter", "[p2p][rendezvous]") {
  const Rendezvous one({"a", "b", "c", "d"});
  const Rendezvous other({"d", "b", "a", "b", "c", "d"});
  CHECK(one.ids() == other.ids());
  for (int i = 0; i < 50; ++i) CHECK(top(one, blob(i), 3) == top(other, blob(i), 3));
  CHECK(one.knows("c"));
  CHECK_FALSE(one.knows("e"));
}

TEST_CASE("Every node gets its share of the digests", "[p2p][rendezvous]") {
  constexpr int kNodes = 50, kBlobs = 10'000;
  const Rendezvous rendezvous(nodes(kNodes));
  std::map<std::string, int> first, any;
  for (int i = 0; i < kBlobs; ++i) {
    const auto three = top(rendezvous, blob(i), 3);
    ++first[three.front()];
    for (const auto& id : three) ++any[id];
  }
  for (const auto& id : rendezvous.ids()) {  // Means of 200 and 600; five standard deviations.
    CHECK(first[id] > 130);
    CHECK(first[id] < 270);
    CHECK(any[id] > 480);
    CHECK(any[id] < 720);
  }
}

TEST_CASE("A node that comes or goes moves only what it takes or leaves", "[p2p][rendezvous]") {
  const Rendezvous all(nodes(40));
  auto fewer_ids = nodes(40);
  fewer_ids.erase(fewer_ids.begin() + 17);
  const Rendezvous fewer(fewer_ids);
  int moved = 0;
  for (int i = 0; i < 4000; ++i) {
    auto before = top(all, blob(i), 3);
    const auto after = top(fewer, blob(i), 3);
    const auto left = std::find(before.begin(), before.end(), "node-17");
    if (left == before.end()) {
      CHECK(before == after);
      continue;
    }
    ++moved;
    before.erase(left);
    CHECK(std::vector(after.begin(), after.begin() + 2) == before);
  }
  CHECK(moved > 200);  // 3 of 40: 300 of 4000.
  CHECK(moved < 400);
}

TEST_CASE("Peers are ranked with all that is known of them", "[p2p][rendezvous]") {
  std::vector<Peer> peers;
  for (const auto& id : nodes(10)) peers.push_back({id, {"https://" + id}, {{"dc", id}}});
  const auto order = ranked(blob(1), peers);
  REQUIRE(order.size() == 10);
  const auto ids = top(Rendezvous(nodes(10)), blob(1), 10);
  for (std::size_t i = 0; i < 10; ++i) {
    CHECK(order[i].id == ids[i]);
    CHECK(order[i].urls.front() == "https://" + ids[i]);
  }
}

}  // namespace
}  // namespace shoal

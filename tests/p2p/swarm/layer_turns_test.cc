#include "p2p/swarm/layer_turns.h"

#include <catch2/catch.hpp>

namespace shoal {
namespace {

struct LayerTurnsTest {
  LayerTurnsTest() {
    for (char name = 'a'; name < 'g'; ++name) add(name);
  }

  static Digest digest(char name) { return Digest::of(std::string(1, name)); }
  void add(char name) {
    turns.add(digest(name), [this, name] { begun += name; });
  }

  std::string begun;
  LayerTurns turns{2};
};

TEST_CASE_METHOD(LayerTurnsTest, "Layers begin in order, a few at a time", "[p2p][swarm]") {
  CHECK(begun == "ab");
  turns.ripe(digest('b'));
  CHECK(begun == "abc");
  turns.ripe(digest('b'));  // Said before.
  turns.ripe(digest('f'));  // Not begun.
  CHECK(begun == "abc");
  turns.ripe(digest('a'));
  turns.ripe(digest('c'));
  CHECK(begun == "abcde");
}

TEST_CASE_METHOD(LayerTurnsTest, "What somebody waits for begins at once, beside the others",
                 "[p2p][swarm]") {
  turns.hurry(digest('e'));
  turns.hurry(digest('e'));
  turns.hurry(digest('a'));
  CHECK(begun == "abe");
  turns.ripe(digest('a'));
  CHECK(begun == "abe");  // There are still two.
  turns.ripe(digest('e'));
  CHECK(begun == "abec");
}

TEST_CASE_METHOD(LayerTurnsTest, "At the end nothing waits", "[p2p][swarm]") {
  turns.open();
  CHECK(begun == "abcdef");
  add('z');
  CHECK(begun == "abcdefz");
}

}  // namespace
}  // namespace shoal

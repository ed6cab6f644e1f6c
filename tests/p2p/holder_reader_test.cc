#include "p2p/holder_reader.h"

#include <catch2/catch.hpp>

#include "tests/p2p/cluster.h"

namespace shoal {
namespace {

constexpr std::uint64_t kSize = 5'000'001;

/// `n1` and `n2` hold a blob, `n0` wants it, and the directory is the test's.
struct HolderTest {
  HolderTest() : cluster(3, without_announcements()), content(random_bytes(kSize, 1)) {
    digest = cluster[1].push(content);
    REQUIRE(cluster[2].push(content) == digest);
  }
  static TestNodeConfig without_announcements() {
    auto config = TestCluster::quick();
    config.announces = false;
    return config;
  }
  Result<std::unique_ptr<HolderReader>> open() {
    return HolderReader::open(*cluster[0].clients, digest, [this] {
      ++lookups;
      return found;
    });
  }
  std::unique_ptr<HolderReader> opened() {
    auto reader = open();
    INFO((reader ? std::string() : reader.error().message));
    REQUIRE(reader);
    return std::move(*reader);
  }
  static std::set<std::string> names(std::initializer_list<std::string> ids) { return ids; }

  TestCluster cluster;
  const std::string content;
  Digest digest = Digest::of("");
  Directory::Found found{{"n1", "n2"}, true};
  std::atomic<int> lookups{0};
};

TEST_CASE_METHOD(HolderTest, "A blob is read from one holder, with a few requests",
                 "[p2p][reader]") {
  auto reader = opened();
  CHECK(reader->info().size == kSize);
  CHECK(reader->info().digest == digest);
  CHECK(read_all(*reader) == content);
  CHECK(reader->sources() == names({"n1"}));
  CHECK(lookups == 1);
  CHECK(cluster[1].faults.gets == 2);  // 2 MiB, and then the rest.
  CHECK(cluster[2].faults.gets + cluster[2].faults.heads == 0);
}

TEST_CASE_METHOD(HolderTest, "Any stretch can be read, in any order", "[p2p][reader]") {
  auto reader = opened();
  for (const std::uint64_t offset : {kSize - 1, std::uint64_t{0}, std::uint64_t{3'000'000},
                                     std::uint64_t{3'100'000}, std::uint64_t{2'097'151}}) {
    const auto bytes = reader->read(offset, 100'000, Wait::yes);
    REQUIRE(bytes);
    CHECK(bytes->view() == std::string_view(content).substr(offset, 100'000));
  }
  const auto large = reader->read(0, SIZE_MAX, Wait::yes);
  REQUIRE(large);
  CHECK(large->view().size() == 256 << 10);
  CHECK(cluster[1].faults.bytes < 20'000'000);
}

TEST_CASE_METHOD(HolderTest, "A reader that must not wait says so", "[p2p][reader]") {
  auto reader = opened();
  const auto bytes = reader->read(0, 10, Wait::no);
  REQUIRE_FALSE(bytes);
  CHECK(bytes.error().code == Errc::would_block);
}

TEST_CASE_METHOD(HolderTest, "When a holder fails in the middle, another goes on from there",
                 "[p2p][reader]") {
  cluster[1].faults.after = 3'000'000;
  SECTION("it closes the connection") { cluster[1].faults.kind = Faults::closes; }
  SECTION("it stalls") { cluster[1].faults.kind = Faults::stalls; }
  auto reader = opened();
  CHECK(read_all(*reader) == content);
  CHECK(reader->sources() == names({"n1", "n2"}));
  CHECK(cluster[2].faults.bytes < 4'000'000);  // Not from the start.
}

TEST_CASE_METHOD(HolderTest, "A holder that dies in the middle is replaced", "[p2p][reader]") {
  auto reader = opened();
  std::string bytes;
  while (bytes.size() < kSize) {
    if (bytes.size() == (1 << 20)) cluster[1].stop();
    const auto piece = reader->read(bytes.size(), 1 << 18, Wait::yes);
    INFO((piece ? std::string() : piece.error().message));
    REQUIRE(piece);
    bytes += piece->view();
  }
  CHECK(bytes == content);
  CHECK(reader->sources() == names({"n1", "n2"}));
}

TEST_CASE_METHOD(HolderTest, "A holder that answers something else is passed over",
                 "[p2p][reader]") {
  SECTION("it does not have it") { cluster[1].faults.kind = Faults::missing; }
  SECTION("it refuses") { cluster[1].faults.kind = Faults::refuses; }
  SECTION("it sends another range") { cluster[1].faults.kind = Faults::wrong_length; }
  SECTION("it does not live") { found.holders[0] = "n9"; }
  auto reader = opened();
  CHECK(read_all(*reader) == content);
  CHECK(reader->sources() == names({"n2"}));
}

TEST_CASE_METHOD(HolderTest, "A holder that comes back is asked again", "[p2p][reader]") {
  found.holders = {"n1"};
  cluster[1].faults.kind = Faults::closes;
  cluster[1].faults.after = 1'000'000;
  auto reader = opened();
  std::thread healer([&] {
    const bool met = eventually([&] { return lookups >= 3; });
    cluster[1].faults.kind = Faults::none;
    CHECK(met);
  });
  CHECK(read_all(*reader) == content);
  healer.join();
}

TEST_CASE_METHOD(HolderTest, "When no holder is left the error names each and its cause",
                 "[p2p][reader]") {
  SECTION("because they never had it") {
    cluster[1].faults.kind = cluster[2].faults.kind = Faults::missing;
    const auto reader = open();
    REQUIRE_FALSE(reader);
    CHECK(reader.error().code == Errc::blob_unknown);
    CHECK(reader.error().message.find("node n1 does not hold") != std::string::npos);
    CHECK(reader.error().message.find("node n2 does not hold") != std::string::npos);
    CHECK(lookups == 1);  // They said so: no use in asking again.
  }
  SECTION("because they are gone") {
    cluster[1].stop();
    cluster[2].stop();
    const auto reader = open();
    REQUIRE_FALSE(reader);
    CHECK(reader.error().code == Errc::unavailable);
    CHECK(reader.error().message.find("node n2: ") != std::string::npos);
    CHECK(lookups == static_cast<int>(kHolderRounds));
  }
  SECTION("because nobody is known") {
    found.holders.clear();
    CHECK(open().error().code == Errc::blob_unknown);
    found.sure = false;
    CHECK(open().error().code == Errc::unavailable);
  }
  SECTION("in the middle of the blob") {
    cluster[1].faults.kind = cluster[2].faults.kind = Faults::closes;
    cluster[1].faults.after = cluster[2].faults.after = 2'500'000;
    auto reader = opened();
    std::string bytes;
    Result<BlobBytes> piece;
    while ((piece = reader->read(bytes.size(), 1 << 18, Wait::yes))) bytes += piece->view();
    CHECK(piece.error().code == Errc::io);
    CHECK(bytes == content.substr(0, bytes.size()));
    CHECK(bytes.size() > 2'000'000);
  }
}

TEST_CASE_METHOD(HolderTest, "A reader ends soon when this node stops", "[p2p][reader]") {
  cluster[1].faults.kind = cluster[2].faults.kind = Faults::closes;
  auto reader = opened();
  std::thread stopper([&] {
    static_cast<void>(eventually([&] { return lookups >= 2; }));
    cluster[0].clients->interrupt();
  });
  const auto bytes = reader->read(0, 1000, Wait::yes);
  stopper.join();
  REQUIRE_FALSE(bytes);
  CHECK(lookups < static_cast<int>(kHolderRounds) + 2);
}

}  // namespace
}  // namespace shoal

#include "storage/arrivals.h"

#include <algorithm>
#include <atomic>
#include <numeric>
#include <random>
#include <thread>

#include "storage/store.h"
#include "tests/storage/fixture.h"

namespace shoal {
namespace {

constexpr std::uint64_t kPiece = 64 << 10;

struct ArrivalTest : StoreTest {
  explicit ArrivalTest(std::uint64_t size, std::uint64_t piece_bytes = kPiece)
      : content(random_bytes(size, size)),
        info{Digest::of(content), size, piece_bytes, "how it came"} {}

  std::shared_ptr<Arrival> open_arrival() {
    auto opened = store->arrivals().open(info);
    INFO((opened ? std::string() : opened.error().message));
    REQUIRE(opened);
    return *std::move(opened);
  }

  void bring(Arrival& arrival, std::uint32_t piece) const {
    auto bytes = std::make_shared<const std::string>(
        content.substr(piece * info.piece_bytes, info.bytes_of(piece)));
    arrival.add(piece, *bytes, bytes);
  }

  std::vector<std::uint32_t> shuffled(std::uint64_t seed) const {
    std::vector<std::uint32_t> order(info.pieces());
    std::iota(order.begin(), order.end(), 0u);
    std::shuffle(order.begin(), order.end(), std::mt19937_64(seed));
    return order;
  }

  std::string read_piece(Arrival& arrival, std::uint32_t piece) const {
    std::string bytes;
    while (bytes.size() < info.bytes_of(piece)) {
      const auto read = arrival.read(piece * info.piece_bytes + bytes.size(), SIZE_MAX, Wait::yes);
      INFO((read ? std::string() : read.error().message));
      REQUIRE(read);
      bytes += read->view();
    }
    return bytes.substr(0, info.bytes_of(piece));
  }
  std::string expected(std::uint32_t piece) const {
    return content.substr(piece * info.piece_bytes, info.bytes_of(piece));
  }

  const std::string content;
  const ArrivalInfo info;
};

TEST_CASE("Pieces that arrive in any order become the blob", "[storage][arrivals]") {
  const auto size = GENERATE(std::uint64_t{1}, kPiece, kPiece + 1, 5 * kPiece - 3, 40 * kPiece);
  const auto piece_bytes = GENERATE(std::uint64_t{16 << 10}, kPiece, std::uint64_t{1 << 20});
  ArrivalTest test(size, piece_bytes);
  CAPTURE(size, piece_bytes);
  auto arrival = test.open_arrival();
  std::size_t count = 0;
  for (const auto piece : test.shuffled(7)) {
    CHECK_FALSE(arrival->has(piece));
    CHECK(arrival->read(piece * piece_bytes, 1, Wait::yes).error().code == Errc::unavailable);
    test.bring(*arrival, piece);
    CHECK(arrival->has(piece));
    CHECK(test.read_piece(*arrival, piece) == test.expected(piece));
    if (++count % 5 == 0) REQUIRE(arrival->store());
  }
  CHECK(arrival->arrived_bytes() == size);
  const auto committed = arrival->commit(repo("some/image"));
  REQUIRE(committed);
  CHECK(committed->size == size);
  CHECK(read_blob(*test.store, repo("some/image"), test.info.digest) == test.content);
  CHECK(test.store->blobs().attachment(test.info.digest)->value_or("") == "how it came");
  CHECK(test.store->arrivals().list().empty());
  CHECK(test.store->usage().arrival_bytes == 0);

  arrival.reset();
  test.reopen();
  CHECK(read_blob(*test.store, repo("some/image"), test.info.digest) == test.content);
}

TEST_CASE("What was stored is there after a restart, and what was not has to come again",
          "[storage][arrivals]") {
  ArrivalTest test(100 * kPiece - 5);
  std::mt19937_64 random(11);
  std::vector<bool> stored(test.info.pieces());
  auto order = test.shuffled(3);
  while (!order.empty()) {
    auto arrival = test.open_arrival();
    CHECK(arrival->pieces() == stored);
    auto waiting = stored;
    for (std::uint64_t n = random() % 20; n > 0 && !order.empty(); --n) {
      test.bring(*arrival, order.back());
      waiting[order.back()] = true;
      order.pop_back();
      if (random() % 4 != 0) continue;
      REQUIRE(arrival->store());
      stored = waiting;
    }
    for (std::uint32_t piece = 0; piece < stored.size(); ++piece) {
      if (waiting[piece] && !stored[piece]) order.push_back(piece);
      if (waiting[piece]) CHECK(test.read_piece(*arrival, piece) == test.expected(piece));
    }
    std::shuffle(order.begin(), order.end(), random);
    arrival.reset();
    test.reopen();
    CHECK(test.store->usage().arrivals == 1);
    CHECK(test.store->usage().arrival_bytes == test.info.size);
  }
  const auto arrival = test.open_arrival();
  REQUIRE(arrival->commit(repo("a")));
  CHECK(read_blob(*test.store, repo("a"), test.info.digest) == test.content);
}

TEST_CASE("Readers see right bytes while pieces come, are stored and hashed",
          "[storage][arrivals]") {
  ArrivalTest test(200 * kPiece);
  const auto arrival = test.open_arrival();
  std::atomic<bool> done{false};
  std::atomic<std::uint64_t> wrong{0};
  std::vector<std::thread> threads;
  for (std::uint64_t seed = 0; seed < 2; ++seed) {
    threads.emplace_back([&, seed] {
      std::mt19937_64 random(seed);
      while (!done) {
        const std::uint64_t offset = random() % test.info.size;
        const auto bytes = arrival->read(offset, 1 + random() % (128 << 10), Wait::yes);
        if (!bytes && bytes.error().code == Errc::unavailable) continue;
        const bool right =
            bytes && !bytes->view().empty() &&
            bytes->view() == std::string_view(test.content).substr(offset, bytes->view().size());
        if (!right) ++wrong;
      }
    });
  }
  threads.emplace_back([&] {
    while (!done) {
      if (!arrival->store() || !arrival->hash()) ++wrong;
    }
  });
  for (const auto piece : test.shuffled(5)) test.bring(*arrival, piece);
  const auto committed = arrival->commit(repo("a"));
  done = true;
  for (auto& thread : threads) thread.join();
  REQUIRE(committed);
  CHECK(read_blob(*test.store, repo("a"), test.info.digest) == test.content);
  CHECK(test.read_piece(*arrival, 0) == test.expected(0));
  CHECK(arrival->store().value() == 0);
  CHECK(wrong == 0);
}

TEST_CASE("Content that is not what its digest says is dropped", "[storage][arrivals]") {
  ArrivalTest test(3 * kPiece);
  const auto arrival = test.open_arrival();
  test.bring(*arrival, 0);
  test.bring(*arrival, 1);
  auto bad = std::make_shared<const std::string>(kPiece, 'x');
  arrival->add(2, *bad, bad);
  REQUIRE(arrival->store());
  const auto committed = arrival->commit(repo("a"));
  REQUIRE_FALSE(committed);
  CHECK(committed.error().code == Errc::digest_invalid);
  CHECK(test.store->arrivals().list().empty());
  CHECK_FALSE(test.store->blobs().stat_any(test.info.digest, Wait::yes));

  const auto again = test.open_arrival();
  CHECK(again->arrived_bytes() == 0);
  for (std::uint32_t piece = 0; piece < 3; ++piece) test.bring(*again, piece);
  REQUIRE(again->commit(repo("a")));
  CHECK(read_blob(*test.store, repo("a"), test.info.digest) == test.content);
}

TEST_CASE("All that open an arrival share it, and another claim is refused while they do",
          "[storage][arrivals]") {
  ArrivalTest test(3 * kPiece);
  auto first = test.open_arrival();
  CHECK(test.open_arrival() == first);
  test.bring(*first, 1);
  REQUIRE(first->store());
  auto other = test.info;
  other.attachment = "another claim";
  CHECK(test.store->arrivals().open(other).error().code == Errc::conflict);
  first.reset();
  const auto anew = test.store->arrivals().open(other);
  REQUIRE(anew);
  CHECK((*anew)->arrived_bytes() == 0);
  CHECK(test.store->usage().arrivals == 1);
}

TEST_CASE("An arrival that is discarded frees its bytes, and is not stored any more",
          "[storage][arrivals]") {
  ArrivalTest test(3 * kPiece);
  auto arrival = test.open_arrival();
  test.bring(*arrival, 0);
  REQUIRE(arrival->store());
  test.bring(*arrival, 1);
  REQUIRE(test.store->arrivals().discard(test.info.digest));
  CHECK(arrival->store().error().code == Errc::blob_unknown);
  CHECK(test.read_piece(*arrival, 0) == test.expected(0));
  CHECK(test.read_piece(*arrival, 1) == test.expected(1));
  arrival.reset();
  CHECK(test.store->usage().arrivals == 0);
  CHECK(test.store->arrivals().list().empty());
  test.reopen();
  CHECK(test.open_arrival()->arrived_bytes() == 0);
}

TEST_CASE("An arrival that nobody has open expires", "[storage][arrivals]") {
  ArrivalTest test(3 * kPiece);
  auto arrival = test.open_arrival();
  test.bring(*arrival, 0);
  REQUIRE(arrival->store());
  test.clock.advance(test.config.upload_ttl);
  CHECK(test.store->arrivals().expire_idle() == 0);
  arrival.reset();
  CHECK(test.store->arrivals().expire_idle() == 0);
  test.clock.advance(test.config.upload_ttl);
  CHECK(test.store->arrivals().expire_idle() == 1);
  CHECK(test.store->arrivals().list().empty());
}

TEST_CASE("Content that came another way meanwhile is kept once", "[storage][arrivals]") {
  ArrivalTest test(40 * kPiece);
  const auto arrival = test.open_arrival();
  for (const auto piece : test.shuffled(1)) test.bring(*arrival, piece);
  REQUIRE(push(*test.store, repo("b"), test.content, test.info.digest));
  const auto stored_bytes = test.store->usage().stored_bytes;
  REQUIRE(arrival->commit(repo("a")));
  CHECK(test.store->usage().stored_bytes == stored_bytes);
  CHECK(test.store->usage().blobs == 1);
  CHECK(read_blob(*test.store, repo("a"), test.info.digest) == test.content);
}

TEST_CASE("An arrival that does not fit the quota is refused at its beginning",
          "[storage][arrivals]") {
  ArrivalTest test(3 * kPiece);
  test.config.quota_bytes = 2 * kPiece;
  test.reopen();
  CHECK(test.store->arrivals().open(test.info).error().code == Errc::quota_exceeded);
  CHECK(test.store->usage().arrivals == 0);
}

TEST_CASE("What was attached to content goes with it", "[storage][blobs]") {
  StoreTest test;
  const auto content = random_bytes(100, 1);
  const auto digest = Digest::of(content);
  CHECK(test.store->blobs().attach(digest, "x").error().code == Errc::blob_unknown);
  REQUIRE(test.store->uploads().put(repo("a"), digest, content));
  CHECK_FALSE(*test.store->blobs().attachment(digest));
  REQUIRE(test.store->blobs().attach(digest, "first"));
  REQUIRE(test.store->blobs().attach(digest, "second"));
  CHECK(test.store->blobs().attachment(digest)->value_or("") == "second");
  REQUIRE(test.store->blobs().remove(repo("a"), digest));
  CHECK_FALSE(*test.store->blobs().attachment(digest));
}

}  // namespace
}  // namespace shoal

#include "p2p/swarm/swarm_blob.h"

#include <algorithm>
#include <atomic>
#include <numeric>
#include <random>
#include <thread>

#include "storage/store.h"
#include "tests/storage/fixture.h"

namespace shoal {
namespace {

Torrent torrent_of(const std::string& content) {
  TorrentMaker maker(Digest::of(content), content.size());
  maker.update(content);
  return maker.finish();
}

struct SwarmBlobTest : StoreTest {
  explicit SwarmBlobTest(std::size_t size)
      : content(random_bytes(size, size)), torrent(torrent_of(content)) {
    auto opened = store->arrivals().open({torrent.digest, size, torrent.piece_bytes, "t"});
    REQUIRE(opened);
    arrival = *opened;
    blob = std::make_unique<SwarmBlob>(torrent, arrival, buffers,
                                       [this](std::uint32_t index) { arrived.push_back(index); });
  }

  std::string piece(std::uint32_t index) const {
    return content.substr(index * torrent.piece_bytes, torrent.piece_bytes);
  }
  std::string block(std::uint32_t index, std::uint64_t offset) const {
    return piece(index).substr(offset, kBlockBytes);
  }
  void write_piece(std::uint32_t index) {
    for (std::uint64_t at = 0; at < piece(index).size(); at += kBlockBytes) {
      blob->write(index, at, block(index, at));
    }
  }

  PieceBuffers buffers{1 << 20};
  const std::string content;
  const Torrent torrent;
  std::shared_ptr<Arrival> arrival;
  std::unique_ptr<SwarmBlob> blob;
  std::vector<std::uint32_t> arrived;
};

TEST_CASE("Blocks that arrive in any order become pieces, and pieces the content", "[p2p][swarm]") {
  const auto size = GENERATE(as<std::size_t>(), (2 << 20) + 1, (3 << 20) - 20'000, 2 << 20);
  CAPTURE(size);
  SwarmBlobTest test(size);
  BlockHasher hasher;
  struct Block {
    std::uint32_t piece;
    std::uint64_t offset;
  };
  std::vector<Block> order;
  std::vector<std::size_t> missing(test.torrent.pieces.size());
  for (std::uint32_t piece = 0; piece < missing.size(); ++piece) {
    for (std::uint64_t at = 0; at < test.piece(piece).size(); at += kBlockBytes) {
      order.push_back({piece, at});
      ++missing[piece];
    }
  }
  std::shuffle(order.begin(), order.end(), std::mt19937_64(size));
  std::vector<bool> here(missing.size());
  std::mt19937_64 random(3);
  for (const auto& [piece, offset] : order) {
    test.blob->write(piece, offset, test.block(piece, offset));
    if (--missing[piece] > 0) {
      CHECK(test.blob->check_block(piece, offset, hasher).value() ==
            hasher.hash(test.block(piece, offset)));
      continue;
    }
    std::vector<TreeHash> blocks(test.torrent.piece_bytes / kBlockBytes);
    REQUIRE(test.blob->check(piece, blocks, hasher).value());
    CHECK(blocks[0] == hasher.hash(test.block(piece, 0)));
    here[piece] = true;
    CHECK(test.blob->pieces() == here);
    if (random() % 5 == 0) REQUIRE(test.arrival->store());
    const auto some = static_cast<std::uint32_t>(random() % here.size());
    std::string read(test.piece(some).size(), '\0');
    const auto done = test.blob->read(some, 0, read);
    CHECK(done.has_value() == here[some]);
    if (done) CHECK(read == test.piece(some));
  }
  CHECK(test.arrived.size() == here.size());
  REQUIRE(test.arrival->commit(repo("a")));
  CHECK(read_blob(*test.store, repo("a"), test.torrent.digest) == test.content);
  CHECK(test.buffers.lent_bytes() == 0);
}

TEST_CASE("A piece that does not match its torrent is dropped, and can come again",
          "[p2p][swarm]") {
  SwarmBlobTest test(2 << 20);
  BlockHasher hasher;
  test.write_piece(3);
  auto bad = test.block(3, kBlockBytes);
  bad[7] = static_cast<char>(bad[7] ^ 1);
  test.blob->write(3, kBlockBytes, bad);
  CHECK_FALSE(test.blob->check(3, {}, hasher).value());
  CHECK_FALSE(test.arrival->has(3));
  CHECK(test.arrived.empty());
  CHECK(test.buffers.lent_bytes() == 0);
  test.write_piece(3);
  CHECK(test.blob->check(3, {}, hasher).value());
  CHECK(test.arrived == std::vector<std::uint32_t>{3});
  test.write_piece(3);  // A block that comes twice takes no memory again.
  CHECK(test.buffers.lent_bytes() == test.torrent.piece_bytes);
  CHECK(test.blob->check(3, {}, hasher).value());
}

TEST_CASE("What came of a piece can be forgotten", "[p2p][swarm]") {
  SwarmBlobTest test(2 << 20);
  test.blob->write(0, 0, test.block(0, 0));
  CHECK(test.buffers.lent_bytes() == test.torrent.piece_bytes);
  test.blob->clear(0);
  CHECK(test.buffers.lent_bytes() == 0);
  std::string room(100, '\0');
  CHECK(test.blob->read(0, 0, room).error().code == Errc::unavailable);
}

TEST_CASE("Once a transfer is stopped, nothing of it arrives or takes memory", "[p2p][swarm]") {
  SwarmBlobTest test(2 << 20);
  BlockHasher hasher;
  test.write_piece(0);
  test.blob->stop();
  CHECK(test.buffers.lent_bytes() == 0);
  test.write_piece(1);
  CHECK(test.buffers.lent_bytes() == 0);
  CHECK(test.blob->check(1, {}, hasher).error().code == Errc::unavailable);
  CHECK(test.arrived.empty());
}

TEST_CASE("Content of the store is read block by block, most of it without a wait",
          "[p2p][swarm]") {
  StoreTest test;
  const auto content = random_bytes((2 << 20) + 5, 9);
  const auto digest = Digest::of(content);
  REQUIRE(push(*test.store, repo("a"), content, digest));
  PieceBuffers buffers(0);
  SwarmBlob blob(torrent_of(content), *test.store->blobs().open_any(digest, Wait::yes), buffers);
  const auto piece_bytes = blob.torrent().piece_bytes;
  std::size_t waits = 0;
  for (std::uint64_t at = 0; at < content.size(); at += kBlockBytes) {
    const auto piece = static_cast<std::uint32_t>(at / piece_bytes);
    std::string block(std::min<std::size_t>(kBlockBytes, content.size() - at), '\0');
    if (!blob.read_recent(piece, at % piece_bytes, block)) {
      ++waits;
      REQUIRE(blob.read(piece, at % piece_bytes, block));
    }
    CHECK(block == content.substr(at, kBlockBytes));
  }
  CHECK(waits <= content.size() / piece_bytes + 1);
  CHECK(blob.pieces() == std::vector<bool>(blob.torrent().pieces.size(), true));
}

TEST_CASE("A block that comes while its piece is checked does not change it", "[p2p][swarm]") {
  SwarmBlobTest test(6 << 20);
  BlockHasher hasher;
  const auto pieces = static_cast<std::uint32_t>(test.torrent.pieces.size());
  const std::string garbage(kBlockBytes, 'x');
  std::atomic<std::uint32_t> at{0};
  std::thread liar([&] {
    while (at < pieces) test.blob->write(at, 3 * kBlockBytes, garbage);
  });
  for (std::uint32_t piece = 0; piece < pieces; at = ++piece) {
    test.write_piece(piece);
    const auto right = test.blob->check(piece, {}, hasher);
    const auto bytes = test.arrival->read(piece * test.torrent.piece_bytes, SIZE_MAX, Wait::no);
    if (right && *right) CHECK((bytes && bytes->view() == test.piece(piece)));
    if (right && !*right) CHECK_FALSE(bytes);
  }
  liar.join();
}

TEST_CASE("Many threads write, check and read pieces at once", "[p2p][swarm]") {
  SwarmBlobTest test(6 << 20);
  const auto pieces = static_cast<std::uint32_t>(test.torrent.pieces.size());
  std::atomic<std::uint32_t> next{0};
  std::atomic<std::uint64_t> wrong{0};
  std::atomic<bool> done{false};
  std::mutex mutex;
  std::vector<std::thread> threads;
  SwarmBlob blob(test.torrent, test.arrival, test.buffers, [](std::uint32_t) {});
  for (int thread = 0; thread < 3; ++thread) {
    threads.emplace_back([&] {
      BlockHasher hasher;
      for (std::uint32_t piece = next++; piece < pieces; piece = next++) {
        const auto bytes = test.piece(piece);
        for (std::uint64_t at = 0; at < bytes.size(); at += kBlockBytes) {
          blob.write(piece, at, std::string_view(bytes).substr(at, kBlockBytes));
        }
        const auto right = blob.check(piece, {}, hasher);
        if (!right || !*right) ++wrong;
      }
    });
  }
  threads.emplace_back([&] {
    std::mt19937_64 random(1);
    std::string room(kBlockBytes, '\0');
    while (!done) {
      const auto piece = static_cast<std::uint32_t>(random() % pieces);
      const auto read = blob.read(piece, 0, room);
      if (read && room != test.block(piece, 0)) ++wrong;
      if (!read && read.error().code != Errc::unavailable) ++wrong;
      if (random() % 50 == 0 && !test.arrival->store()) ++wrong;
    }
  });
  for (int thread = 0; thread < 3; ++thread) threads[static_cast<std::size_t>(thread)].join();
  done = true;
  threads.back().join();
  CHECK(wrong == 0);
  REQUIRE(test.arrival->commit(repo("a")));
  CHECK(read_blob(*test.store, repo("a"), test.torrent.digest) == test.content);
}

}  // namespace
}  // namespace shoal

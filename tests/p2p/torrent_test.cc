#include "p2p/torrent.h"

#include <array>

#include <openssl/evp.h>
#include <catch2/catch.hpp>

#include "tests/storage/fixture.h"

namespace shoal {
namespace {

Torrent torrent_of(const std::string& content, std::size_t step,
                   TorrentKind kind = TorrentKind::v2) {
  TorrentMaker maker(Digest::of(content), content.size(), kind);
  for (std::size_t at = 0; at < content.size(); at += step) {
    maker.update(std::string_view(content).substr(at, step));
  }
  return maker.finish();
}

TreeHash sha256(const std::string& bytes) { return BlockHasher().hash(bytes); }

template <class Hash>
std::string text_of(const Hash& hash) {
  return {reinterpret_cast<const char*>(hash.data()), hash.size()};
}

std::string sha1(const std::string& bytes) {
  std::array<unsigned char, 20> hash;
  EVP_Digest(bytes.data(), bytes.size(), hash.data(), nullptr, EVP_sha1(), nullptr);
  return text_of(hash);
}

/// BEP 52 to the letter: all leaves of 16 KiB, filled up with zeros to a power of two.
TreeHash naive_root(const std::string& content) {
  std::vector<TreeHash> layer;
  for (std::size_t at = 0; at < content.size(); at += kBlockBytes) {
    layer.push_back(sha256(content.substr(at, kBlockBytes)));
  }
  while ((layer.size() & (layer.size() - 1)) != 0) layer.push_back(TreeHash{});
  while (layer.size() > 1) {
    std::vector<TreeHash> above;
    for (std::size_t i = 0; i < layer.size(); i += 2) {
      above.push_back(sha256(text_of(layer[i]) + text_of(layer[i + 1])));
    }
    layer = std::move(above);
  }
  return layer[0];
}

TEST_CASE("Blocks hashed side by side have the hashes of blocks hashed alone", "[p2p][torrent]") {
  for (const std::size_t size : {0, 1, 16383, 16384, 16385, 32767, 32768, 32769, 65536, 200000}) {
    const auto content = random_bytes(size, static_cast<unsigned>(size));
    std::vector<TreeHash> alone;
    for (std::size_t at = 0; at < size; at += kBlockBytes) {
      alone.push_back(sha256(content.substr(at, kBlockBytes)));
    }
    CAPTURE(size);
    CHECK(BlockHasher().blocks(content) == alone);
  }
}

TEST_CASE("A blob has 250 to 500 pieces, of a size that its own size decides", "[p2p][torrent]") {
  constexpr std::uint64_t kMiB = 1 << 20;
  constexpr std::uint64_t kGiB = 1 << 30;
  CHECK(piece_bytes_for(2 * kMiB) == 64 << 10);
  CHECK(piece_bytes_for(31 * kMiB) == 64 << 10);
  CHECK(piece_bytes_for(32 * kMiB) == 128 << 10);
  CHECK(piece_bytes_for(512 * kMiB) == 2 * kMiB);
  CHECK(piece_bytes_for(kGiB) == 4 * kMiB);
  CHECK(piece_bytes_for(8 * kGiB) == 4 * kMiB);
  CHECK(piece_bytes_for(8 * kGiB + 1) == 16 * kMiB);
  for (std::uint64_t size = 32 * kMiB; size <= 2 * kGiB; size += 31 * kMiB + 7) {
    const auto pieces = (size + piece_bytes_for(size) - 1) / piece_bytes_for(size);
    CAPTURE(size);
    CHECK((pieces >= 250 && pieces <= 512));
  }
}

TEST_CASE("The root of a torrent is that of the tree over all its blocks", "[p2p][torrent]") {
  const auto size = GENERATE(as<std::size_t>(), (64 << 10) + 1, (128 << 10), (2 << 20) - 1,
                             (2 << 20) + (16 << 10), (3 << 20) + 5);
  const auto content = random_bytes(size, size);
  CAPTURE(size);
  const auto torrent = torrent_of(content, 1000);
  CHECK(torrent.root() == naive_root(content));
  CHECK(torrent == torrent_of(content, size));
}

TEST_CASE("The same content has the same torrent, and its info hash is that of its info",
          "[p2p][torrent]") {
  const auto content = random_bytes(3 << 20, 1);
  const auto torrent = torrent_of(content, 4096);
  const auto info = torrent.info();
  CHECK(text_of(torrent.info_hash()) == text_of(sha256(info)).substr(0, 20));
  CHECK(info.find("7:privatei1e") != info.npos);
  CHECK(info.find(torrent.digest.to_string()) != info.npos);
  CHECK(torrent.file().find(info) == 7);
}

TEST_CASE("A torrent of version 1 has the SHA-1 of each piece, and is named by that of its info",
          "[p2p][torrent]") {
  const auto content = random_bytes((2 << 20) + 5, 1);
  const auto torrent = torrent_of(content, 1000, TorrentKind::v1);
  CHECK(torrent == torrent_of(content, content.size(), TorrentKind::v1));
  CHECK(torrent.kind() == TorrentKind::v1);
  REQUIRE(torrent.piece_count() == 33);
  CHECK(text_of(torrent.v1_pieces[1]) == sha1(content.substr(64 << 10, 64 << 10)));
  CHECK(text_of(torrent.v1_pieces[32]) == sha1(content.substr(2 << 20)));
  CHECK(torrent.matches(32, content.substr(2 << 20)));
  CHECK_FALSE(torrent.matches(31, content.substr(2 << 20)));
  CHECK_FALSE(torrent.matches(33, ""));
  const auto info = torrent.info();
  CHECK(info.starts_with("d6:lengthi2097157e4:name71:" + torrent.digest.to_string()));
  CHECK(info.ends_with("7:privatei1ee"));
  CHECK(text_of(torrent.info_hash()) == sha1(info));
  CHECK(torrent.file() == "d4:info" + info + "e");
  CHECK(torrent.file("http://t/a") == "d8:announce10:http://t/a4:info" + info + "e");
}

TEST_CASE("A torrent travels whole, and what is not one is refused", "[p2p][torrent]") {
  const auto kind = GENERATE(TorrentKind::v2, TorrentKind::v1);
  const auto torrent = torrent_of(random_bytes(3 << 20, 1), 4096, kind);
  const auto text = torrent.encode();
  const auto parsed = Torrent::parse(torrent.digest, text);
  REQUIRE(parsed);
  CHECK(*parsed == torrent);
  for (std::size_t size = 0; size < text.size(); size += 97) {
    CHECK_FALSE(Torrent::parse(torrent.digest, text.substr(0, size)));
  }
  CHECK_FALSE(Torrent::parse(torrent.digest, text + 'x'));
  auto other = text;
  other[0] = kind == TorrentKind::v2 ? 2 : 1;  // The other's hashes have another size.
  CHECK(Torrent::parse(torrent.digest, other).error().code == Errc::bad_request);
  auto small = torrent;
  small.size = 1000;
  CHECK_FALSE(Torrent::parse(torrent.digest, small.encode()));
  auto huge = torrent;
  huge.size = UINT64_MAX;
  CHECK_FALSE(Torrent::parse(torrent.digest, huge.encode()));
}

}  // namespace
}  // namespace shoal

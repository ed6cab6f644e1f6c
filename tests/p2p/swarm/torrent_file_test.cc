#include "p2p/swarm/torrent_file.h"

#include <catch2/catch.hpp>

#include "tests/storage/fixture.h"

namespace shoal {
namespace {

Torrent torrent_of(const std::string& content, TorrentKind kind = TorrentKind::v1) {
  TorrentMaker maker(Digest::of(content), content.size(), kind);
  maker.update(content);
  return maker.finish();
}

bool refused(const std::string& bytes) {
  const auto file = TorrentFile::parse(bytes);
  return !file && file.error().code == Errc::bad_request;
}

TEST_CASE("A node reads the .torrent files that nodes write", "[p2p][swarm][torrent]") {
  const auto torrent = torrent_of(random_bytes((3 << 20) + 1, 1));
  const auto file = TorrentFile::parse(torrent.file("http://127.0.0.1:5000/announce"));
  REQUIRE(file);
  CHECK(file->torrent == torrent);
  CHECK(file->trackers == std::vector<std::string>{"http://127.0.0.1:5000/announce"});
  CHECK(TorrentFile::parse(torrent.file())->trackers.empty());
}

TEST_CASE("A .torrent file of other content than a node's is refused", "[p2p][swarm][torrent]") {
  const auto torrent = torrent_of(random_bytes(3 << 20, 1));
  const auto file = torrent.file();
  for (std::size_t size = 0; size < file.size(); size += 31) {
    CAPTURE(size);
    CHECK(refused(file.substr(0, size)));
  }
  CHECK(refused(torrent_of(random_bytes(3 << 20, 1), TorrentKind::v2).file()));
  auto named = file;
  named.replace(named.find("sha256:"), 7, "md5sum:");
  CHECK(refused(named));
  auto open = file;
  open.replace(open.find("7:privatei1e"), 12, "7:privatei0e");
  CHECK(refused(open));
  auto coarse = torrent;
  coarse.piece_bytes *= 2;
  coarse.v1_pieces.resize(coarse.v1_pieces.size() / 2);
  CHECK(refused(coarse.file()));
}

}  // namespace
}  // namespace shoal

#include "p2p/swarm/torrent_file.h"

#include <algorithm>
#include <utility>

#include <libtorrent/torrent_info.hpp>

namespace shoal {
namespace {

tl::unexpected<Error> refuse(std::string_view why) {
  return fail(Errc::bad_request, "this is not a .torrent file of shoal's: " + std::string(why));
}

}  // namespace

Result<TorrentFile> TorrentFile::parse(std::string_view bytes) {
  boost::system::error_code error;
  const lt::torrent_info info(lt::span<const char>(bytes.data(), std::ssize(bytes)), error,
                              lt::from_span);
  if (error) return refuse(error.message());
  const auto digest = Digest::parse(info.name());
  if (!digest) return refuse("its name is no digest: " + digest.error().message);
  if (info.v2()) return refuse("it is of version 2, which nodes keep among themselves");

  Torrent torrent{*digest,
                  static_cast<std::uint64_t>(info.total_size()),
                  static_cast<std::uint64_t>(info.piece_length()),
                  {}};
  for (const auto piece : info.piece_range()) {
    Sha1Hash hash;
    std::copy_n(info.hash_for_piece_ptr(piece), hash.size(), hash.begin());
    torrent.v1_pieces.push_back(hash);
  }
  const auto section = info.info_section();
  const bool same = torrent.info() == std::string_view(section.data(), section.size());
  if (!same || !Torrent::parse(*digest, torrent.encode())) {
    return refuse("a node makes another torrent of this content");
  }
  TorrentFile file{std::move(torrent), {}};
  for (const auto& tracker : info.trackers()) file.trackers.push_back(tracker.url);
  return file;
}

}  // namespace shoal

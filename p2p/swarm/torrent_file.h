#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "p2p/torrent.h"

namespace shoal {

/// A .torrent file (BEP 3) that a node made, perhaps long ago and elsewhere.
struct TorrentFile {
  Torrent torrent;
  std::vector<std::string> trackers;  // URLs, those to be asked first at the front.

  /// Fails with bad_request on anything but the torrent of version 1 that a node makes of some
  /// content, with whatever trackers: the name must be the digest, and the piece size shoal's.
  [[nodiscard]] static Result<TorrentFile> parse(std::string_view bytes);
};

}  // namespace shoal

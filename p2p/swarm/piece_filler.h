#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "p2p/holder_reader.h"
#include "p2p/swarm/transfer.h"

namespace shoal {

/// Brings pieces of a transfer from holders over HTTPS: for when BitTorrent gives nothing.
///
/// One thread, which blocks on the net.
class PieceFiller {
 public:
  /// Asks a holder for the content. Fails as HolderReader::open() does, and with digest_invalid
  /// when holders have it in another size than the torrent says.
  [[nodiscard]] static Result<PieceFiller> open(PeerClients& clients,
                                                std::shared_ptr<const SwarmTransfer> transfer,
                                                FindHolders find);

  struct Piece {
    std::uint32_t index = 0;
    std::vector<char> bytes{};
  };
  /// The next piece that is not here: the one that a reader waits for, or the first; nothing when
  /// none is missing. Calls `came` with the count of bytes whenever some came. Fails as
  /// HolderReader::read() does, with timed_out when bytes come too slowly, with digest_invalid when
  /// they are not what the torrent says, and with unavailable when the transfer ends meanwhile.
  [[nodiscard]] Result<std::optional<Piece>> next(
      const std::function<void(std::uint64_t bytes)>& came);

  /// Everybody from whom bytes came.
  [[nodiscard]] const std::set<std::string>& sources() const { return reader_->sources(); }

 private:
  PieceFiller(std::shared_ptr<const SwarmTransfer> transfer, std::unique_ptr<HolderReader> reader)
      : transfer_(std::move(transfer)), reader_(std::move(reader)) {}

  std::shared_ptr<const SwarmTransfer> transfer_;
  std::unique_ptr<HolderReader> reader_;
};

}  // namespace shoal

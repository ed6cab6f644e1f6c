#include "p2p/swarm/piece_filler.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace shoal {
namespace {

constexpr std::chrono::seconds kPatience{10};
constexpr std::uint64_t kRateMin = 64 << 10;  // bytes a second.

}  // namespace

Result<PieceFiller> PieceFiller::open(PeerClients& clients,
                                      std::shared_ptr<const SwarmTransfer> transfer,
                                      FindHolders find) {
  const auto& torrent = transfer->torrent();
  auto reader = HolderReader::open(clients, torrent.digest, std::move(find));
  if (!reader) return tl::unexpected(reader.error());
  if ((*reader)->info().size != torrent.size) {
    return fail(Errc::digest_invalid,
                torrent.digest.to_string() + ": holders have it in another size than its torrent");
  }
  return PieceFiller(std::move(transfer), *std::move(reader));
}

Result<std::optional<PieceFiller::Piece>> PieceFiller::next(
    const std::function<void(std::uint64_t bytes)>& came) {
  const auto& torrent = transfer_->torrent();
  const auto pieces = transfer_->arrival()->pieces();
  auto missing = std::find(pieces.begin(), pieces.end(), false);
  const auto waited_for = transfer_->waited_for();
  for (const auto piece : waited_for) {
    if (pieces[piece]) continue;
    missing = pieces.begin() + piece;
    break;
  }
  if (missing == pieces.end()) return std::nullopt;

  Piece piece;
  piece.index = static_cast<std::uint32_t>(missing - pieces.begin());
  piece.bytes.resize(transfer_->arrival()->info().bytes_of(piece.index));
  const std::uint64_t start = piece.index * torrent.piece_bytes;
  const auto deadline = std::chrono::steady_clock::now() + kPatience +
                        std::chrono::seconds(piece.bytes.size() / kRateMin);
  for (std::size_t have = 0; have < piece.bytes.size();) {
    if (transfer_->ended()) return fail(Errc::unavailable, "the transfer has ended");
    // A byte now and then is no progress.
    if (std::chrono::steady_clock::now() > deadline) {
      return fail(Errc::timed_out, torrent.digest.to_string() + ": holders are too slow");
    }
    const auto bytes = reader_->read(start + have, piece.bytes.size() - have, Wait::yes);
    if (!bytes) return tl::unexpected(bytes.error());
    std::copy(bytes->view().begin(), bytes->view().end(), piece.bytes.data() + have);
    have += bytes->view().size();
    came(bytes->view().size());
  }
  if (torrent.matches(piece.index, {piece.bytes.data(), piece.bytes.size()})) return piece;
  return fail(Errc::digest_invalid,
              torrent.digest.to_string() + ": what holders have is not what its torrent says");
}

}  // namespace shoal

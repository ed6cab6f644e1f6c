#pragma once

#include <array>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <span>
#include <string_view>
#include <vector>

#include "p2p/swarm/piece_buffers.h"
#include "p2p/torrent.h"
#include "storage/arrivals.h"

namespace shoal {

/// What this node has of one torrent's content: all of it, or an arrival that the swarm fills.
/// Blocks are put together to pieces in memory; a piece that matches the torrent goes on to the
/// arrival, in the memory it came in.
///
/// Thread-safe. write(), clear() and read_recent() do not block; the others may, on the disk.
class SwarmBlob {
 public:
  /// Content that the store holds, to be read alone. `buffers` must outlive the object.
  SwarmBlob(Torrent torrent, std::shared_ptr<BlobReader> reader, PieceBuffers& buffers);
  /// Content that comes. `on_piece` is told of each piece that has arrived, on the thread of
  /// check().
  SwarmBlob(Torrent torrent, std::shared_ptr<Arrival> arrival, PieceBuffers& buffers,
            std::function<void(std::uint32_t piece)> on_piece);

  [[nodiscard]] const Torrent& torrent() const { return torrent_; }
  /// Null for content that is all here.
  [[nodiscard]] const std::shared_ptr<Arrival>& arrival() const { return arrival_; }
  [[nodiscard]] std::vector<bool> pieces() const;

  /// Fills `room` with bytes of one piece that is here. Fails as BlobReader::read() and
  /// Arrival::read() do.
  [[nodiscard]] Result<void> read(std::uint32_t piece, std::uint64_t offset, std::span<char> room);

  /// The same if it costs no wait: false otherwise.
  [[nodiscard]] bool read_recent(std::uint32_t piece, std::uint64_t offset, std::span<char> room);

  /// A block, or part of one, from a peer: copied.
  void write(std::uint32_t piece, std::uint64_t offset, std::string_view bytes);

  /// Checks a piece that is whole: it may be in memory, or here already. Gives the hashes of its
  /// blocks as long as `blocks` has room (version 2 alone has them). One that matches the torrent
  /// has arrived when this returns; one that does not is dropped. Fails as read() does.
  [[nodiscard]] Result<bool> check(std::uint32_t piece, std::span<TreeHash> blocks,
                                   BlockHasher& hasher);
  /// One block of a piece that is not whole.
  [[nodiscard]] Result<TreeHash> check_block(std::uint32_t piece, std::uint64_t offset,
                                             BlockHasher& hasher);
  /// Forgets what came of a piece.
  void clear(std::uint32_t piece);

  /// No piece arrives any more: a check() that is under way is waited for, and later ones fail with
  /// unavailable.
  void stop();

  /// The bytes of a whole piece, wherever they are: for hashes of another kind.
  [[nodiscard]] Result<std::shared_ptr<PieceBuffer>> whole_piece(std::uint32_t piece);

 private:
  [[nodiscard]] std::uint64_t bytes_of(std::uint32_t piece) const;
  [[nodiscard]] bool check_tree(std::uint32_t piece, std::string_view bytes,
                                std::span<TreeHash> blocks, BlockHasher& hasher) const;
  [[nodiscard]] std::shared_ptr<PieceBuffer> coming(std::uint32_t piece) const;
  [[nodiscard]] std::shared_ptr<PieceBuffer> take(std::uint32_t piece);
  struct Recent {
    std::uint64_t start = 0;
    std::shared_ptr<const BlobBytes> bytes;  // Null: none.
  };
  [[nodiscard]] Recent recent(std::uint64_t at) const;
  void keep_recent(const Recent& value, std::uint64_t read_to);

  const Torrent torrent_;
  const std::shared_ptr<BlobReader> reader_;
  const std::shared_ptr<Arrival> arrival_;
  PieceBuffers& buffers_;
  const std::function<void(std::uint32_t piece)> on_piece_;

  class Check;

  mutable std::mutex mutex_;  // Guards what follows.
  std::condition_variable idle_;
  bool stopped_ = false;
  std::size_t checks_ = 0;  // Under way.
  std::map<std::uint32_t, std::shared_ptr<PieceBuffer>> coming_;
  std::set<std::uint32_t> sealed_;  // Being checked: what still comes of them is left.
  // Stored values that peers are reading, block by block: each until its end was read.
  std::array<Recent, 8> recent_;
  std::size_t oldest_ = 0;
};

}  // namespace shoal

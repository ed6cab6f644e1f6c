#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "storage/digest.h"

namespace shoal {

/// A node of the hash tree of BitTorrent v2: SHA-256 (BEP 52, "pieces root").
using TreeHash = std::array<std::uint8_t, 32>;

/// SHA-1: what version 1 knows a piece by (BEP 3).
using Sha1Hash = std::array<std::uint8_t, 20>;

/// What BitTorrent hashes, asks for and sends at once (BEP 52: the leaves of the hash tree).
inline constexpr std::uint64_t kBlockBytes = 16 << 10;

/// Content of fewer bytes is not shared by torrent: connections take longer than it (measured).
inline constexpr std::uint64_t kSwarmBytesMin = 2 << 20;

/// Bytes of a piece, by the bytes of the content alone: a power of two that makes 250 to 500
/// pieces, from 64 KiB on and up to 4 MiB, above 8 GiB to 16 MiB.
[[nodiscard]] std::uint64_t piece_bytes_for(std::uint64_t size);

/// Nodes speak version 2 of BitTorrent among themselves (BEP 52). Version 1 (BEP 3) is for clients
/// that know no other: Transmission 3 cannot even read a hybrid of both.
enum class TorrentKind { v2, v1 };

/// The torrent of some content. The same content has the same torrent of each kind wherever it is
/// made: no dates, no names but the digest, no choice of the piece's size.
///
/// From another node it is a claim: pieces that match it are what the node meant, but only the
/// digest of the whole says whether that is the content.
struct Torrent {
  Digest digest;
  std::uint64_t size = 0;             // Bytes, more than piece_bytes.
  std::uint64_t piece_bytes = 0;      // Of all pieces but the last.
  std::vector<TreeHash> pieces;       // The "piece layer": the tree's node of each piece.
  std::vector<Sha1Hash> v1_pieces{};  // Instead of these in version 1: each piece's hash.

  [[nodiscard]] TorrentKind kind() const {
    return v1_pieces.empty() ? TorrentKind::v2 : TorrentKind::v1;
  }
  [[nodiscard]] std::uint32_t piece_count() const {
    return static_cast<std::uint32_t>(v1_pieces.empty() ? pieces.size() : v1_pieces.size());
  }
  /// In version 2: the top of the tree.
  [[nodiscard]] TreeHash root() const;
  /// The info dictionary, bencoded: what the info hash is of. Its torrent is private (BEP 27).
  [[nodiscard]] std::string info() const;
  /// What peers and trackers call it: of version 2, the first 20 bytes.
  [[nodiscard]] Sha1Hash info_hash() const;
  /// Whether these bytes, all of it, are that piece.
  [[nodiscard]] bool matches(std::uint32_t piece, std::string_view bytes) const;
  /// All of a .torrent file, with the URL of a tracker if there is one.
  [[nodiscard]] std::string file(std::string_view tracker = {}) const;

  /// As it travels between nodes and is kept with the content. The digest goes without saying.
  [[nodiscard]] std::string encode() const;
  /// Fails with bad_request on anything that encode() would not write.
  [[nodiscard]] static Result<Torrent> parse(const Digest& digest, std::string_view text);

  bool operator==(const Torrent&) const = default;
};

/// Hashes blocks (BEP 52): one object a thread, since it is not cheap to make.
class BlockHasher {
 public:
  BlockHasher();
  ~BlockHasher();
  BlockHasher(const BlockHasher&) = delete;
  BlockHasher& operator=(const BlockHasher&) = delete;

  [[nodiscard]] TreeHash hash(std::string_view bytes);
  /// The hash of each block of these bytes, the last of which may be shorter: in little more than
  /// half the time of hash() for each, where the processor can.
  [[nodiscard]] std::vector<TreeHash> blocks(std::string_view bytes);
  /// The node above two.
  [[nodiscard]] TreeHash join(const TreeHash& left, const TreeHash& right);
  /// The top of the tree over `nodes`, filled up to `leaves`, a power of two, with `filling`.
  [[nodiscard]] TreeHash top(std::vector<TreeHash> nodes, std::size_t leaves,
                             const TreeHash& filling);
  /// The tree's node of a piece whose blocks have these hashes.
  [[nodiscard]] TreeHash piece(std::span<const TreeHash> blocks, std::uint64_t piece_bytes);

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

/// Makes the torrent of content that is read from its start to its end.
class TorrentMaker {
 public:
  TorrentMaker(const Digest& digest, std::uint64_t size, TorrentKind kind = TorrentKind::v2);
  ~TorrentMaker();
  void update(std::string_view bytes);
  /// Once all bytes have come.
  [[nodiscard]] Torrent finish();

 private:
  void end_blocks(std::string_view bytes);
  void end_piece();

  struct Sha1;

  BlockHasher hasher_;
  std::unique_ptr<Sha1> sha1_;  // Of the piece that is not full yet; null but for version 1.
  Torrent torrent_;
  std::string block_;             // What came of the block that is not full yet.
  std::vector<TreeHash> blocks_;  // Of the piece that is not full yet.
};

}  // namespace shoal

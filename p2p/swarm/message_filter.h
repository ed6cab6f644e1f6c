#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace shoal {

/// One direction of a connection of BitTorrent, without the hash requests (BEP 52): libtorrent
/// 2.0.8 asks peers for the hashes of blocks when a piece was wrong and several peers had a part in
/// it, and writes beyond the end of an array when one of them refuses (hash_picker.cpp,
/// hashes_rejected(): it takes every refusal for one of piece hashes; fixed in 2.1). Nodes know the
/// hashes of pieces alone, and would all refuse. Without the answer libtorrent finds out whose
/// fault it was by asking one peer at a time.
///
/// Not thread-safe.
class MessageFilter {
 public:
  /// The next bytes of the stream; what of it should go on. Valid until the next call; the first
  /// bytes of a message may be kept for that, at most four.
  [[nodiscard]] std::string_view apply(std::string_view bytes);

 private:
  std::uint64_t left_ = 68;  // Of the handshake, or of a message that has begun.
  bool dropped_ = false;     // That message.
  std::string begun_;        // Too little of a message to know which.
  std::string joined_;
  std::string out_;
};

}  // namespace shoal

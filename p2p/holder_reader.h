#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "p2p/directory.h"
#include "p2p/peer_clients.h"
#include "storage/blobs.h"

namespace shoal {

/// Asks who holds the content; called again for each round of attempts.
using FindHolders = std::function<Directory::Found()>;

/// After so many rounds through all holders without a byte the reader gives up; before each but the
/// first it waits, longer each time.
inline constexpr unsigned kHolderRounds = 4;

/// Content that other nodes hold, read over GET /cluster/v1/blobs/<digest>. Reads on at another
/// holder, from the byte it has come to, when one fails: the connection breaks, no byte comes for
/// the progress timeout, the node answers anything but what was asked for.
///
/// What comes is not checked against the digest here: whoever stores it does that (blob_fetch.h).
/// Each read() blocks; one call at a time, any thread.
class HolderReader final : public BlobReader {
 public:
  /// Learns the size from the first holder that answers. `clients` must outlive the reader. Fails
  /// with blob_unknown (nobody has it), unavailable (nobody who has it, or may have it, answers),
  /// timed_out, denied or io: as the last holder did; the message names all of them.
  [[nodiscard]] static Result<std::unique_ptr<HolderReader>> open(PeerClients& clients,
                                                                  const Digest& digest,
                                                                  FindHolders find);
  ~HolderReader() override;

  [[nodiscard]] const BlobInfo& info() const override { return info_; }

  /// Up to a chunk. With Wait::no it fails with would_block, else as open() does. Bytes in order
  /// cost one request for many chunks; others a request of their own.
  [[nodiscard]] Result<BlobBytes> read(std::uint64_t offset, std::size_t max, Wait wait) override;

  /// Everybody from whom bytes came.
  [[nodiscard]] const std::set<std::string>& sources() const { return sources_; }

 private:
  struct Source {
    std::string peer;
    std::unique_ptr<PeerStream> stream;
    std::uint64_t at;   // The offset of the next byte of the stream,
    std::uint64_t end;  // and of the one behind its last.
  };

  HolderReader(PeerClients& clients, const Digest& digest, FindHolders find);
  [[nodiscard]] Result<void> learn_size();
  /// Calls `attempt` with one holder after the other until one is good for it.
  [[nodiscard]] Result<void> try_holders(
      const std::function<Result<void>(const std::string&)>& attempt);
  [[nodiscard]] Result<void> request(const std::string& peer, std::uint64_t offset,
                                     std::size_t wanted);
  [[nodiscard]] Result<std::size_t> read_stream(std::span<char> room);
  [[nodiscard]] Error no_holder(const std::map<std::string, Error>& failures, bool sure) const;

  PeerClients& clients_;
  BlobInfo info_;
  const FindHolders find_;
  std::string favorite_;  // Who answered last: asked first,
  std::string failed_;    // and who failed last: asked last.
  std::optional<Source> source_;
  std::uint64_t window_ = 0;  // Bytes to ask for next.
  std::set<std::string> sources_;
};

}  // namespace shoal

#include "p2p/swarm/have_hold.h"

#include <algorithm>

namespace shoal {
namespace {

// Length and kind; what follows is a piece, and in it a place and a length.
constexpr std::string_view kHave("\0\0\0\5\4", 5);
constexpr std::size_t kHaveBytes = 9;
constexpr std::string_view kRequest("\0\0\0\15\6", 5);
constexpr std::size_t kRequestBytes = 17;
constexpr int kRequestShare = 8;
constexpr std::chrono::milliseconds kLookEvery{100};

}  // namespace

HaveHold::Talk HaveHold::talk(std::string_view bytes) {
  auto talk = bytes.empty() ? Talk::other : Talk::haves;
  while (!bytes.empty()) {
    if (bytes.starts_with(kHave) && bytes.size() >= kHaveBytes) {
      bytes.remove_prefix(kHaveBytes);
    } else if (bytes.starts_with(kRequest) && bytes.size() >= kRequestBytes) {
      bytes.remove_prefix(kRequestBytes);
      talk = Talk::requests;
    } else {
      return Talk::other;
    }
  }
  return talk;
}

std::chrono::milliseconds HaveHold::of(std::string_view bytes, std::uint64_t received_bytes,
                                       Time now) {
  const auto what = talk(bytes);
  if (what == Talk::other) return std::chrono::milliseconds(0);
  const std::lock_guard lock(mutex_);
  if (now - since_ >= kLookEvery) {
    const auto elapsed = std::chrono::duration_cast<std::chrono::milliseconds>(now - since_);
    const auto came = received_bytes - std::min(received_bytes, bytes_);
    const auto of_piece =
        came > 0 ? 2 * kPieceBytes * static_cast<std::uint64_t>(elapsed.count()) / came : 0;
    hold_ = std::min(kMost, std::chrono::milliseconds(of_piece));
    since_ = now;
    bytes_ = received_bytes;
  }
  return what == Talk::requests ? hold_ / kRequestShare : hold_;
}

}  // namespace shoal

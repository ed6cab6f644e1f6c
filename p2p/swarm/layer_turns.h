#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "storage/digest.h"

namespace shoal {

/// In which order the layers of an image begin to come. All of them at once would be as many
/// connections to each peer, each with a small share of its upload: no host would have a whole
/// piece to give on for seconds. So few begin at a time, in the order in which they are asked for,
/// and the next one when most of one has come, so that the ends of one overlap with the next.
/// Hosts that pull the same image together come to the same layers at about the same time.
///
/// Thread-safe. Starts run on the calling thread, without a lock.
class LayerTurns {
 public:
  using Start = std::function<void()>;

  /// `at_once`: so many that have not come for the most part.
  explicit LayerTurns(std::size_t at_once) : at_once_(at_once) {}

  /// Starts it when its turn comes, perhaps now.
  void add(const Digest& digest, Start start);
  /// Somebody waits for it: it starts now, if it has not yet.
  void hurry(const Digest& digest);
  /// Most of it has come, or it has ended.
  void ripe(const Digest& digest);
  /// Nothing waits any more, nor will.
  void open();

 private:
  void start_next();

  std::mutex mutex_;  // Guards what follows.
  std::size_t at_once_;
  std::deque<std::pair<Digest, Start>> waiting_;
  std::set<Digest> unripe_;
};

}  // namespace shoal

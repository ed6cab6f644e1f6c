#pragma once

#include <chrono>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "storage/digest.h"

namespace shoal {

/// Who was said to hold what a moment ago, before the directory can know: the node that pushed a
/// tag, or that wants an image copied. A hint may be wrong; it only says whom to ask too. Forgets
/// by itself. Thread-safe; never blocks for long.
class Hints {
 public:
  void add(const std::vector<Digest>& digests, const std::string& peer);
  [[nodiscard]] std::set<std::string> of(const Digest& digest);

 private:
  using Steady = std::chrono::steady_clock;
  struct Generation {
    std::map<Digest, std::set<std::string>> peers;
    Steady::time_point begun = Steady::now();
  };
  void age();

  std::mutex mutex_;
  Generation young_, old_;
};

}  // namespace shoal

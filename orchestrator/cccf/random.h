#pragma once

#include <cstdint>

#include "orchestrator/cccf/document.h"

namespace shoal {

struct RandomCccf {
  std::uint64_t seed = 0;
  std::size_t count = 1;
  /// Only the fields that cccf's own generator gives: id, image, cmd, and one each of ports, env
  /// and volumes. Otherwise each container has some of all fields that a document may have, in
  /// odd spellings, too.
  bool plain = false;
};

/// A document of `count` containers that cccf 3.3.0 accepts, ids unique and host ports distinct:
/// the same for the same seed on every machine. Links point to containers that come before.
[[nodiscard]] CccfDocument random_cccf(const RandomCccf& options);

}  // namespace shoal

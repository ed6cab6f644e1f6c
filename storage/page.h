#pragma once

#include <vector>

namespace shoal {

/// Part of a list in byte order. `more` says that at least one further entry exists.
template <class T>
struct Page {
  std::vector<T> entries;
  bool more = false;
};

}  // namespace shoal

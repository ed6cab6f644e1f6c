#include "orchestrator/engine/line_splitter.h"

#include <utility>

namespace shoal {

void LineSplitter::add(std::string_view bytes, const Sink& sink) {
  while (!bytes.empty()) {
    const auto end = bytes.find('\n');
    const bool whole = end != std::string_view::npos;
    auto part = bytes.substr(0, whole ? end : bytes.size());
    const auto room = bytes_max_ - partial_.size();
    if (part.size() > room) {
      partial_ += part.substr(0, room);
      bytes.remove_prefix(room);
      sink(std::exchange(partial_, {}));
      continue;
    }
    partial_ += part;
    bytes.remove_prefix(part.size() + (whole ? 1 : 0));
    if (!whole) return;
    if (partial_.ends_with('\r')) partial_.pop_back();
    const std::string line = std::exchange(partial_, {});
    sink(line);
  }
}

void LineSplitter::finish(const Sink& sink) {
  const std::string line = std::exchange(partial_, {});
  if (!line.empty()) sink(line);
}

}  // namespace shoal

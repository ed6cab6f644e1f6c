#include "orchestrator/engine/log_frames.h"

#include <algorithm>

#include <fmt/format.h>

namespace shoal {
namespace {

constexpr std::size_t kHeaderBytes = 8;

std::uint32_t length_in(std::string_view header) {
  std::uint32_t length = 0;
  for (std::size_t i = 4; i < kHeaderBytes; ++i) {
    length = length << 8 | static_cast<std::uint8_t>(header[i]);
  }
  return length;
}

}  // namespace

Result<void> LogFrames::add(std::string_view bytes, const Sink& sink) {
  // What is needed before the next step: the header first, then the whole frame.
  const auto wanted = [](std::string_view have) {
    return have.size() < kHeaderBytes ? kHeaderBytes : kHeaderBytes + length_in(have);
  };
  const auto check = [](std::string_view header) -> Result<void> {
    const bool known = static_cast<std::uint8_t>(header[0]) <= 2;
    const bool zeros = header[1] == 0 && header[2] == 0 && header[3] == 0;
    if (!known || !zeros) return fail(Errc::io, "the log is not a stream of frames");
    if (length_in(header) > kFrameBytesMax) {
      return fail(Errc::io, fmt::format("an entry of the log has over {} bytes", kFrameBytesMax));
    }
    return {};
  };
  while (!bytes.empty()) {
    const auto step = std::min(wanted(partial_) - partial_.size(), bytes.size());
    const bool had_header = partial_.size() >= kHeaderBytes;
    partial_ += bytes.substr(0, step);
    bytes.remove_prefix(step);
    if (!had_header && partial_.size() >= kHeaderBytes) {
      if (auto good = check(partial_); !good) return good;
    }
    if (partial_.size() < kHeaderBytes || partial_.size() < wanted(partial_)) continue;
    sink(static_cast<LogStream>(partial_[0]), std::string_view(partial_).substr(kHeaderBytes));
    partial_.clear();
  }
  return {};
}

}  // namespace shoal

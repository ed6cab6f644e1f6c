#include "p2p/swarm/message_filter.h"

#include <algorithm>

namespace shoal {
namespace {

constexpr std::size_t kLengthBytes = 4;  // BEP 3: big-endian, without themselves; then the kind.
constexpr char kHashRequest = 21;        // BEP 52.

std::uint64_t length_of(std::string_view message) {
  std::uint64_t length = 0;
  for (const char byte : message.substr(0, kLengthBytes)) {
    length = length << 8 | static_cast<unsigned char>(byte);
  }
  return length;
}

}  // namespace

std::string_view MessageFilter::apply(std::string_view bytes) {
  if (!begun_.empty()) {
    joined_ = begun_;
    joined_ += bytes;
    begun_.clear();
    bytes = joined_;
  }
  out_.clear();
  bool edited = false;
  std::size_t kept_from = 0;  // What came before is in `out_`, or dropped.
  std::size_t at = 0;
  const auto cut = [&](std::size_t end) {
    out_ += bytes.substr(kept_from, end - kept_from);
    edited = true;
  };
  while (at < bytes.size()) {
    const auto rest = bytes.substr(at);
    if (left_ > 0) {
      const auto part = std::min<std::uint64_t>(left_, rest.size());
      left_ -= part;
      at += part;
      if (dropped_) kept_from = at;
      continue;
    }
    dropped_ = false;
    const bool known = rest.size() >= kLengthBytes;
    if (known && length_of(rest) == 0) {  // It says that the connection lives.
      at += kLengthBytes;
      continue;
    }
    if (!known || rest.size() == kLengthBytes) {
      cut(at);
      kept_from = bytes.size();
      begun_ = rest;
      break;
    }
    left_ = kLengthBytes + length_of(rest);
    dropped_ = rest[kLengthBytes] == kHashRequest;
    if (dropped_) {
      cut(at);
      kept_from = at;
    }
  }
  if (!edited && kept_from == 0) return bytes;
  out_ += bytes.substr(kept_from);
  return out_;
}

}  // namespace shoal

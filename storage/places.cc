#include "storage/places.h"

#include <algorithm>

#include "storage/codec.h"
#include "storage/content.h"

namespace shoal {
namespace {

constexpr unsigned kRunShift = 40;
constexpr std::uint64_t kPiecesMax = 1 << 24;

}  // namespace

Places::Places(std::uint64_t size, std::uint64_t piece_bytes)
    : piece_bytes_(piece_bytes), runs_((size + piece_bytes - 1) / piece_bytes, kNowhere) {}

std::uint16_t Places::next_run() const {
  std::uint16_t next = 0;
  for (const auto run : runs_) {
    if (run != kNowhere && run >= next) next = static_cast<std::uint16_t>(run + 1);
  }
  return next;
}

std::uint64_t Places::unit_bytes() const {
  return piece_bytes_ == 0 ? kChunkBytes : std::min(piece_bytes_, kChunkBytes);
}

std::uint64_t Places::run_start(std::uint16_t run) { return std::uint64_t{run} << kRunShift; }

std::uint64_t Places::value_at(std::uint64_t offset) const {
  const std::uint64_t unit = offset / unit_bytes();
  return piece_bytes_ == 0 ? unit : run_start(runs_[offset / piece_bytes_]) + unit;
}

bool Places::plain() const {
  const bool one_run = std::all_of(runs_.begin(), runs_.end(), [](auto run) { return run == 0; });
  return one_run && unit_bytes() == kChunkBytes;
}

std::string Places::encode() const {
  RecordWriter writer;
  writer.number(piece_bytes_).number(runs_.size());
  for (std::size_t first = 0; first < runs_.size();) {
    std::size_t last = first;
    while (last < runs_.size() && runs_[last] == runs_[first]) ++last;
    writer.number(runs_[first]).number(last - first);
    first = last;
  }
  return writer.take();
}

Result<Places> Places::decode(std::string_view bytes) {
  if (bytes.empty()) return Places();
  RecordReader reader(bytes);
  Places places;
  places.piece_bytes_ = reader.number();
  const std::uint64_t pieces = reader.number();
  bool good = places.piece_bytes_ > 0 && pieces <= kPiecesMax;
  while (good && places.runs_.size() < pieces) {
    const std::uint64_t run = reader.number();
    const std::uint64_t count = reader.number();
    good = reader.good() && run <= kNowhere && count > 0 && count <= pieces - places.runs_.size();
    if (good) places.runs_.insert(places.runs_.end(), count, static_cast<std::uint16_t>(run));
  }
  if (!good) return fail(Errc::corrupt, "the places of a content cannot be decoded");
  return places;
}

}  // namespace shoal

#include "registry/upload_range.h"

#include "storage/number.h"

namespace shoal {

Result<ChunkRange> parse_upload_range(std::string_view field) {
  const auto dash = field.find('-');
  const auto first = parse_number(field.substr(0, dash));
  const auto last = dash == field.npos ? std::nullopt : parse_number(field.substr(dash + 1));
  // The last position of 64 bits is left out, so that a length always fits.
  if (!first || !last || *last < *first || *last == UINT64_MAX) {
    return fail(Errc::range_invalid, "an upload's Content-Range is 'first-last', got '" +
                                         std::string(field.substr(0, 100)) + "'");
  }
  return ChunkRange{*first, *last};
}

std::string upload_range(std::uint64_t offset) {
  return "0-" + std::to_string(offset == 0 ? 0 : offset - 1);
}

}  // namespace shoal

#include "registry/range.h"

#include <algorithm>
#include <optional>

#include "storage/number.h"

namespace shoal {
namespace {

constexpr std::string_view kUnit = "bytes=";

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == text.npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

/// Names of range units compare without case (RFC 9110, 14.1).
bool starts_with_unit(std::string_view field) {
  const auto same = [](char want, char got) {
    return want == got || (got >= 'A' && got <= 'Z' && want - 'a' == got - 'A');
  };
  return field.size() >= kUnit.size() &&
         std::equal(kUnit.begin(), kUnit.end(), field.begin(), same);
}

tl::unexpected<Error> malformed(std::string_view field) {
  return fail(Errc::range_invalid, "malformed Range: '" + std::string(field.substr(0, 100)) + "'");
}

/// One of the three forms `a-b`, `a-`, `-n`. Of length 0 when it lies outside the representation.
std::optional<ByteRange> parse_one(std::string_view text, std::uint64_t size) {
  const auto dash = text.find('-');
  if (dash == text.npos) return std::nullopt;
  const auto before = text.substr(0, dash);
  const auto after = text.substr(dash + 1);
  if (before.empty()) {
    const auto wanted = parse_number(after);
    if (!wanted) return std::nullopt;
    const auto length = std::min(*wanted, size);
    return ByteRange{size - length, length};
  }
  const auto first = parse_number(before);
  if (!first) return std::nullopt;
  const auto last = after.empty() ? std::optional(UINT64_MAX) : parse_number(after);
  if (!last || *last < *first) return std::nullopt;
  if (*first >= size) return ByteRange{0, 0};
  return ByteRange{*first, std::min(*last, size - 1) - *first + 1};
}

}  // namespace

Result<std::vector<ByteRange>> parse_range(std::string_view field, std::uint64_t size,
                                           std::size_t ranges_max) {
  field = trim(field);
  if (!starts_with_unit(field)) return std::vector<ByteRange>{};

  std::vector<ByteRange> ranges;
  std::size_t parts = 0;
  std::uint64_t rest = size;  // What may still be asked for before it is more than everything.
  bool excessive = false;
  for (auto list = field.substr(kUnit.size()); !list.empty();) {
    const auto comma = list.find(',');
    const auto text = trim(list.substr(0, comma));
    list = comma == list.npos ? std::string_view() : list.substr(comma + 1);
    if (text.empty()) continue;  // RFC 9110, 5.6.1: empty list elements are ignored.
    const auto range = parse_one(text, size);
    if (!range) return malformed(field);
    if (++parts > ranges_max) {
      return fail(Errc::too_many, "more than " + std::to_string(ranges_max) +
                                      " ranges in one request: ask for fewer and larger ones");
    }
    if (range->length == 0) continue;
    excessive = excessive || range->length > rest;
    if (!excessive) rest -= range->length;
    ranges.push_back(*range);
  }
  if (parts == 0) return malformed(field);
  if (ranges.empty()) {
    return fail(Errc::range_invalid,
                "the range lies outside the " + std::to_string(size) + " bytes of the content");
  }
  if (excessive) ranges.clear();
  return ranges;
}

std::string content_range(const ByteRange& range, std::uint64_t size) {
  return "bytes " + std::to_string(range.offset) + "-" +
         std::to_string(range.offset + range.length - 1) + "/" + std::to_string(size);
}

}  // namespace shoal

#include "registry/rfc3339.h"

#include <array>
#include <chrono>
#include <cstdio>

#include "storage/number.h"

namespace shoal {
namespace {

/// Takes `digits` digits off the front, and then `separator` if it is not 0.
std::optional<int> take(std::string_view& text, std::size_t digits, char separator) {
  const auto number = parse_number(text.substr(0, digits));
  if (text.size() < digits || !number) return std::nullopt;
  text.remove_prefix(digits);
  if (separator != 0) {
    if (!text.starts_with(separator)) return std::nullopt;
    text.remove_prefix(1);
  }
  return static_cast<int>(*number);
}

/// `Z` or `+hh:mm`, as what it is ahead of UTC.
std::optional<std::chrono::minutes> parse_offset(std::string_view text) {
  if (text == "Z" || text == "z") return std::chrono::minutes(0);
  const bool ahead = text.starts_with('+');
  if (!ahead && !text.starts_with('-')) return std::nullopt;
  text.remove_prefix(1);
  const auto hours = take(text, 2, ':');
  if (!hours) return std::nullopt;
  const auto minutes = take(text, 2, 0);
  if (!minutes || !text.empty() || *hours > 23 || *minutes > 59) return std::nullopt;
  const std::chrono::minutes offset(*hours * 60 + *minutes);
  return ahead ? offset : -offset;
}

}  // namespace

std::string rfc3339(UnixTime time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  char text[48];
  const int length = std::snprintf(
      text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02dZ", static_cast<int>(date.year()),
      static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
      static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
      static_cast<int>(clock.seconds().count()));
  return std::string(text, static_cast<std::size_t>(length));
}

std::optional<UnixTime> parse_rfc3339(std::string_view text) {
  struct Part {
    std::size_t digits;
    char separator;
  };
  // Date and time may be parted by a lower-case t, or by a blank (RFC 3339, 5.6).
  const char parting = text.size() > 10 && (text[10] == 't' || text[10] == ' ') ? text[10] : 'T';
  const Part parts[] = {{4, '-'}, {2, '-'}, {2, parting}, {2, ':'}, {2, ':'}, {2, 0}};
  std::array<int, 6> values{};
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto value = take(text, parts[i].digits, parts[i].separator);
    if (!value) return std::nullopt;
    values[i] = *value;
  }
  if (text.starts_with('.')) {
    const auto end = text.find_first_not_of("0123456789", 1);
    if (end == std::string_view::npos || end == 1) return std::nullopt;
    text.remove_prefix(end);
  }
  const auto offset = parse_offset(text);
  const std::chrono::year_month_day date{std::chrono::year(values[0]),
                                         std::chrono::month(static_cast<unsigned>(values[1])),
                                         std::chrono::day(static_cast<unsigned>(values[2]))};
  if (!offset || !date.ok() || values[3] > 23 || values[4] > 59 || values[5] > 60) {
    return std::nullopt;
  }
  return std::chrono::sys_days(date) + std::chrono::hours(values[3]) +
         std::chrono::minutes(values[4]) + std::chrono::seconds(values[5]) - *offset;
}

}  // namespace shoal

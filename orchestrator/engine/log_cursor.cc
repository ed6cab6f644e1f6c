#include "orchestrator/engine/log_cursor.h"

#include <charconv>
#include <chrono>

#include <fmt/format.h>

namespace shoal {
namespace {

constexpr std::int32_t kNanosecondDigits = 9;

/// Takes exactly `digits` digits from the front of `text`.
std::optional<int> take_number(std::string_view& text, std::size_t digits) {
  if (text.size() < digits) return std::nullopt;
  int value = 0;
  for (std::size_t i = 0; i < digits; ++i) {
    if (text[i] < '0' || text[i] > '9') return std::nullopt;
    value = value * 10 + (text[i] - '0');
  }
  text.remove_prefix(digits);
  return value;
}

bool take(std::string_view& text, char wanted) {
  if (text.empty() || text.front() != wanted) return false;
  text.remove_prefix(1);
  return true;
}

/// `Z`, `+01:00`: seconds east of Greenwich.
std::optional<int> take_offset(std::string_view& text) {
  if (take(text, 'Z')) return 0;
  const int sign = take(text, '-') ? -1 : 1;
  if (sign == 1 && !take(text, '+')) return std::nullopt;
  const auto hours = take_number(text, 2);
  if (!hours || !take(text, ':')) return std::nullopt;
  const auto minutes = take_number(text, 2);
  if (!minutes || *hours > 23 || *minutes > 59) return std::nullopt;
  return sign * (*hours * 3600 + *minutes * 60);
}

std::optional<std::int32_t> take_fraction(std::string_view& text) {
  std::int32_t nanoseconds = 0;
  std::int32_t digits = 0;
  while (!text.empty() && text.front() >= '0' && text.front() <= '9') {
    if (digits < kNanosecondDigits) nanoseconds = nanoseconds * 10 + (text.front() - '0');
    digits += digits < kNanosecondDigits ? 1 : 0;
    text.remove_prefix(1);
  }
  if (digits == 0) return std::nullopt;
  for (; digits < kNanosecondDigits; ++digits) nanoseconds *= 10;
  return nanoseconds;
}

template <class Number>
bool take_value(std::string_view& text, Number& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc()) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return true;
}

}  // namespace

std::optional<EngineTime> parse_engine_time(std::string_view text) {
  const auto year = take_number(text, 4);
  if (!year || !take(text, '-')) return std::nullopt;
  const auto month = take_number(text, 2);
  if (!month || !take(text, '-')) return std::nullopt;
  const auto day = take_number(text, 2);
  if (!day || !take(text, 'T')) return std::nullopt;
  const auto hour = take_number(text, 2);
  if (!hour || !take(text, ':')) return std::nullopt;
  const auto minute = take_number(text, 2);
  if (!minute || !take(text, ':')) return std::nullopt;
  const auto second = take_number(text, 2);
  if (!second || *hour > 23 || *minute > 59 || *second > 60) return std::nullopt;
  std::int32_t nanoseconds = 0;
  if (take(text, '.')) {
    const auto fraction = take_fraction(text);
    if (!fraction) return std::nullopt;
    nanoseconds = *fraction;
  }
  const auto offset = take_offset(text);
  if (!offset || !text.empty()) return std::nullopt;

  const std::chrono::year_month_day date(std::chrono::year(*year),
                                         std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day)));
  if (!date.ok()) return std::nullopt;
  const auto days = std::chrono::sys_days(date).time_since_epoch().count();
  EngineTime time;
  time.seconds = days * std::int64_t{86400} + *hour * 3600 + *minute * 60 + *second - *offset;
  time.nanoseconds = nanoseconds;
  return time;
}

std::string LogCursor::text() const {
  return fmt::format("{}.{:09}+{}", time.seconds, time.nanoseconds, count);
}

Result<LogCursor> LogCursor::parse(std::string_view text) {
  const std::string_view all = text;
  const auto broken = [all] {
    return fail(Errc::bad_request,
                fmt::format("`{}` is not a place in a log: SECONDS.NANOSECONDS+COUNT", all));
  };
  LogCursor cursor;
  if (!take_value(text, cursor.time.seconds) || cursor.time.seconds < 0 || !take(text, '.')) {
    return broken();
  }
  const auto nanoseconds = take_number(text, kNanosecondDigits);
  if (!nanoseconds || !take(text, '+')) return broken();
  cursor.time.nanoseconds = *nanoseconds;
  if (!take_value(text, cursor.count) || !text.empty()) return broken();
  return cursor;
}

bool LogResume::take(EngineTime time) {
  if (time < from_.time) return false;
  if (time == from_.time && repeated_ < from_.count) {
    ++repeated_;
    return false;
  }
  // Entries of two streams are merged by the engine, not always in the order of their times.
  if (time > cursor_.time) cursor_ = {time, 0};
  if (time == cursor_.time) ++cursor_.count;
  return true;
}

}  // namespace shoal

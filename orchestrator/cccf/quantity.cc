#include "orchestrator/cccf/quantity.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include <fmt/format.h>

namespace shoal {
namespace {

/// What std::from_chars reads of a plain decimal number; `text` loses it.
std::optional<double> take_number(std::string_view& text) {
  const bool plain = !text.empty() && ((text[0] >= '0' && text[0] <= '9') || text[0] == '.');
  double value = 0;
  const auto [stop, error] =
      std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  if (!plain || error != std::errc()) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(stop - text.data()));
  return value;
}

std::optional<double> number_of(const JsonValue& value) {
  const auto* const number = value.number();
  if (number == nullptr) return std::nullopt;
  double read = 0;
  const auto* const end = number->text.data() + number->text.size();
  const auto [stop, error] = std::from_chars(number->text.data(), end, read);
  if (error != std::errc() || stop != end) return std::nullopt;
  return read;
}

}  // namespace

std::optional<std::uint64_t> read_bytes(const JsonValue& value) {
  if (value.number() != nullptr) return value.whole();
  if (value.text() == nullptr) return std::nullopt;
  std::string_view text = *value.text();
  const auto amount = take_number(text);
  if (!amount) return std::nullopt;
  while (text.starts_with(' ')) text.remove_prefix(1);
  std::string unit(text);
  std::transform(unit.begin(), unit.end(), unit.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  int power = 0;
  if (!unit.empty() && unit != "b") {
    power = static_cast<int>(std::string_view("kmgtp").find(unit[0])) + 1;
    const std::string rest = unit.substr(1);
    if (power < 1 || power > 5 || (!rest.empty() && rest != "b" && rest != "ib")) {
      return std::nullopt;
    }
  }
  const double bytes = *amount * std::pow(1024.0, power);
  if (bytes > 9007199254740992.0) return std::nullopt;  // 2^53, 8 PiB.
  return static_cast<std::uint64_t>(bytes);
}

std::optional<std::chrono::milliseconds> read_span(const JsonValue& value) {
  constexpr double kSecondsMax = 366.0 * 86'400;
  double seconds = 0;
  if (const auto number = number_of(value)) {
    seconds = *number;
  } else if (value.text() != nullptr && !value.text()->empty()) {
    std::string_view text = *value.text();
    while (!text.empty()) {
      const auto amount = take_number(text);
      if (!amount) return std::nullopt;
      // The longer names first: `ms` is no `m`.
      static constexpr std::pair<std::string_view, double> kUnits[] = {
          {"ms", 1e-3}, {"us", 1e-6}, {"ns", 1e-9}, {"s", 1}, {"m", 60}, {"h", 3600}};
      const auto* const unit =
          std::find_if(std::begin(kUnits), std::end(kUnits),
                       [&](const auto& one) { return text.starts_with(one.first); });
      const bool bare_zero = text.empty() && *amount == 0;
      if (unit == std::end(kUnits) && !bare_zero) return std::nullopt;
      if (bare_zero) break;
      text.remove_prefix(unit->first.size());
      seconds += *amount * unit->second;
    }
  } else {
    return std::nullopt;
  }
  if (!(seconds >= 0) || seconds > kSecondsMax) return std::nullopt;
  // Not one more for what the binary fraction has beyond the decimal one.
  return std::chrono::milliseconds(static_cast<std::int64_t>(std::ceil(seconds * 1000 - 1e-6)));
}

std::optional<double> read_amount(const JsonValue& value) {
  auto amount = number_of(value);
  if (!amount && value.text() != nullptr) {
    std::string_view text = *value.text();
    amount = take_number(text);
    if (!text.empty()) return std::nullopt;
  }
  if (!amount || !(*amount >= 0)) return std::nullopt;
  return amount;
}

std::string canonical_number(const std::string& text) {
  const bool digits = text.find_first_of(".eE") == std::string::npos;
  if (digits) return text == "-0" ? "0" : text;
  double value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || stop != text.data() + text.size()) return text;
  if (std::floor(value) == value && std::fabs(value) < 9007199254740992.0) {
    return fmt::format("{}", static_cast<std::int64_t>(value));
  }
  return fmt::format("{}", value);
}

}  // namespace shoal

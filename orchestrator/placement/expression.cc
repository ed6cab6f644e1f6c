#include "orchestrator/placement/expression.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include <fmt/format.h>
#include <re2/re2.h>

namespace shoal {
namespace {

constexpr std::int64_t kRegexBytesMax = 1 << 20;  // Of the compiled program.
constexpr std::string_view kBlanks = " \t\n\f\r";
constexpr std::array kKinds = {ExpressionKind::constraint, ExpressionKind::affinity,
                               ExpressionKind::whitelist};

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_one_of(char c, std::string_view set) { return set.find(c) != std::string_view::npos; }

bool is_key(std::string_view key) {
  if (key.size() < 2 || (!is_letter(key[0]) && key[0] != '_')) return false;
  return std::all_of(key.begin() + 1, key.end(),
                     [](char c) { return is_letter(c) || is_digit(c) || is_one_of(c, "-_."); });
}

bool is_value(std::string_view value) {
  const auto plain = [](char c) {
    return is_letter(c) || is_digit(c) || is_one_of(c, ":-_.*/()?+[]\\^$|") ||
           is_one_of(c, kBlanks);
  };
  if (!value.empty() && is_one_of(value[0], "=!")) value.remove_prefix(1);
  // A slash is one of the plain characters, too: only before "~" does it matter as a first one.
  else if (value.starts_with("/~"))
    value.remove_prefix(1);
  if (value.starts_with('~')) value.remove_prefix(1);
  return !value.empty() && std::all_of(value.begin(), value.end(), plain);
}

/// Whether `pattern`, in which "*" is any characters, is all of `text`. Goes back to the last "*"
/// only, since an earlier one cannot help: at most the product of both lengths.
bool is_glob_of(std::string_view pattern, std::string_view text) {
  std::size_t at = 0;
  std::size_t star = std::string_view::npos;
  std::size_t resume = 0;
  for (std::size_t i = 0; i < text.size();) {
    if (at < pattern.size() && pattern[at] == '*') {
      star = at++;
      resume = i;
    } else if (at < pattern.size() && pattern[at] == text[i]) {
      ++at;
      ++i;
    } else if (star != std::string_view::npos) {
      at = star + 1;
      i = ++resume;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', at) == std::string_view::npos;
}

/// Whether `what` is one of the names between which "|" stands.
bool is_among(std::string_view names, std::string_view what) {
  for (;;) {
    const auto end = std::min(names.find('|'), names.size());
    if (names.substr(0, end) == what) return true;
    if (end == names.size()) return false;
    names.remove_prefix(end + 1);
  }
}

tl::unexpected<Error> refuse(ExpressionKind kind, std::string_view text, std::string_view why) {
  return fail(Errc::usage,
              fmt::format("`{}:{}` is no {}: {}", to_string(kind), text, to_string(kind), why));
}

std::optional<ExpressionKind> kind_of(std::string_view text) {
  for (const auto kind : kKinds) {
    const auto name = to_string(kind);
    if (text.starts_with(name) && text.substr(name.size()).starts_with(':')) return kind;
  }
  return std::nullopt;
}

}  // namespace

/// What a value fits: a regular expression, or else a text with stars.
struct Expression::Pattern {
  std::optional<RE2> regex;
};

std::string_view to_string(ExpressionKind kind) {
  switch (kind) {
    case ExpressionKind::constraint: return "constraint";
    case ExpressionKind::affinity: return "affinity";
    case ExpressionKind::whitelist: return "whitelist";
  }
  return "";
}

Result<Expression> Expression::parse(std::string_view text) {
  const auto kind = kind_of(text);
  if (!kind) {
    return fail(Errc::usage,
                fmt::format("`{}` is no expression: it begins with constraint:, affinity: or "
                            "whitelist:, as in constraint:dc==west",
                            text.substr(0, kBytesMax)));
  }
  return parse(*kind, text.substr(to_string(*kind).size() + 1));
}

bool Expression::is_expression(std::string_view text) { return kind_of(text).has_value(); }

Result<Expression> Expression::parse(ExpressionKind kind, std::string_view text) {
  if (text.size() > kBytesMax) {
    return refuse(kind, text.substr(0, 40), fmt::format("it has over {} bytes", kBytesMax));
  }
  auto at = text.find("==");
  const bool negated = at == std::string_view::npos;
  if (negated) at = text.find("!=");
  if (at == std::string_view::npos) {
    return refuse(kind, text, "between key and value stands == or !=, as in dc==west");
  }
  const auto key = text.substr(0, at);
  auto value = text.substr(at + 2);
  if (!is_key(key)) {
    return refuse(kind, text,
                  "a key is a letter or _, then one or more letters, digits, -, _ and .");
  }
  if (value.empty()) return refuse(kind, text, "there is no value behind the operator");
  if (!is_value(value)) {
    return refuse(kind, text,
                  "a value has letters, digits, blanks and : - _ . * / ( ) ? + [ ] \\ ^ $ | only, "
                  "and ~ in front if it is soft");
  }

  Expression expression;
  expression.kind_ = kind;
  expression.key_ = key;
  expression.negated_ = negated;
  expression.soft_ = value.starts_with('~');
  if (expression.soft_) value.remove_prefix(1);
  expression.value_ = value;
  auto pattern = std::make_shared<Pattern>();
  if (kind != ExpressionKind::whitelist && value.size() > 1 && value.front() == '/' &&
      value.back() == '/') {
    RE2::Options options(RE2::Quiet);
    options.set_max_mem(kRegexBytesMax);
    const auto regex = value.substr(1, value.size() - 2);
    pattern->regex.emplace(re2::StringPiece(regex.data(), regex.size()), options);
    if (!pattern->regex->ok()) return refuse(kind, text, pattern->regex->error());
  }
  expression.pattern_ = std::move(pattern);
  return expression;
}

std::string Expression::text() const {
  return fmt::format("{}:{}{}{}{}", to_string(kind_), key_,
                     negated_ ? "!=" : "==", soft_ ? "~" : "", value_);
}

bool Expression::fits(std::string_view what) const {
  if (kind_ == ExpressionKind::whitelist) return is_among(value_, what);
  if (!pattern_->regex) return is_glob_of(value_, what);
  return RE2::PartialMatch(re2::StringPiece(what.data(), what.size()), *pattern_->regex);
}

bool Expression::holds(std::span<const std::string_view> whats) const {
  return std::any_of(whats.begin(), whats.end(),
                     [this](std::string_view what) { return fits(what); }) != negated_;
}

}  // namespace shoal

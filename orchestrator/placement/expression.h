#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "storage/error.h"

namespace shoal {

/// What an expression speaks of: `constraint:` the host itself, `affinity:` what is on the host,
/// `whitelist:` the host's name.
enum class ExpressionKind : std::uint8_t { constraint, affinity, whitelist };

/// `constraint`, `affinity`, `whitelist`.
[[nodiscard]] std::string_view to_string(ExpressionKind kind);

/// One condition on the host of a container, in the language of classic Swarm
/// (docker-archive/classicswarm, scheduler/filter/expr.go):
///
///   expression  = kind ":" key operator [ "~" ] value
///   operator    = "==" | "!="          "==" is looked for first, anywhere in the text
///   key         = letter or "_", then at least one of: letters, digits, "-" "_" "."
///   value       = one of "=" "!" "/" at most, then "~" at most once, then at least one of:
///                 letters, digits, white space, : - _ . * / ( ) ? + [ ] \ ^ $ |
///
/// A value that begins with "~" makes the expression soft: it is given up where it cannot be met.
/// A value between slashes is a regular expression (RE2's syntax, searched for anywhere in the
/// text; `(?i)` ignores case); in any other "*" stands for any characters, and the rest for itself.
/// The value of a whitelist is names with "|" between them: `whitelist:node==n1|n2`.
///
/// Deliberate differences to classic Swarm: a regular expression that is none is refused here
/// (there it matched nothing, so that `!=` matched everything); a value without slashes has no
/// meaning but for "*" (there `.` and `|` kept theirs: `app:1.2` matched `app:1x2`); a value that
/// is a single slash stands for itself (there the manager crashed); letters are those of ASCII.
///
/// Immutable, cheap to copy, and safe to share between threads.
class Expression {
 public:
  static constexpr std::size_t kBytesMax = 512;

  /// With its kind in front: `constraint:dc==west`. Fails with usage; the message says what is
  /// wrong and what would be right.
  [[nodiscard]] static Result<Expression> parse(std::string_view text);
  /// Without: `dc==west`.
  [[nodiscard]] static Result<Expression> parse(ExpressionKind kind, std::string_view text);
  /// Whether parse() would take the text for an expression at all: it begins with a kind and ":".
  [[nodiscard]] static bool is_expression(std::string_view text);

  [[nodiscard]] ExpressionKind kind() const { return kind_; }
  [[nodiscard]] const std::string& key() const { return key_; }
  /// Without "~".
  [[nodiscard]] const std::string& value() const { return value_; }
  [[nodiscard]] bool negated() const { return negated_; }
  [[nodiscard]] bool soft() const { return soft_; }
  /// `constraint:dc==~west`: parse() makes the same of it.
  [[nodiscard]] std::string text() const;

  /// Whether the value fits one text, whatever the operator.
  [[nodiscard]] bool fits(std::string_view what) const;
  /// `==`: the value fits one of them; `!=`: it fits none. No text at all fits nothing.
  [[nodiscard]] bool holds(std::span<const std::string_view> whats) const;
  [[nodiscard]] bool holds(std::string_view what) const { return fits(what) != negated_; }

 private:
  struct Pattern;

  Expression() = default;

  ExpressionKind kind_ = ExpressionKind::constraint;
  std::string key_;
  std::string value_;
  bool negated_ = false;
  bool soft_ = false;
  std::shared_ptr<const Pattern> pattern_;
};

}  // namespace shoal

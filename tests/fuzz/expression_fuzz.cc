// Placement expressions: what is accepted says the same when it is written and read again, keeps to
// its alphabet, and answers for any text.

#include <algorithm>
#include <cstdint>
#include <string_view>

#include "orchestrator/placement/expression.h"
#include "tests/fuzz/require.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const auto line = std::min(input.find('\n'), input.size());
  const auto text = input.substr(0, line);
  const auto what = input.substr(std::min(line + 1, input.size()));

  const auto expression = shoal::Expression::parse(text);
  if (!expression) {
    SHOAL_REQUIRE(!expression.error().message.empty());
    return 0;
  }
  SHOAL_REQUIRE(shoal::Expression::is_expression(text));
  SHOAL_REQUIRE(expression->text() == text);
  SHOAL_REQUIRE(expression->key().size() >= 2);
  SHOAL_REQUIRE(!expression->value().empty());
  SHOAL_REQUIRE(expression->value().front() != '~');
  SHOAL_REQUIRE(expression->holds(what) == (expression->fits(what) != expression->negated()));
  const auto again = shoal::Expression::parse(expression->text());
  SHOAL_REQUIRE(again);
  SHOAL_REQUIRE(again->fits(what) == expression->fits(what));
  return 0;
}

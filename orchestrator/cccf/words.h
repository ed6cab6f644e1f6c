#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "storage/error.h"

namespace shoal {

/// The words of a command line as a POSIX shell splits them (XCU 2.2, 2.6.5): quotes and
/// backslashes count, nothing is expanded. Fails with bad_request where a quote is not closed.
[[nodiscard]] Result<std::vector<std::string>> split_words(std::string_view text);

/// A word as a shell reads it back to the same: quoted only if it has to be.
[[nodiscard]] std::string quote_word(std::string_view word);

/// All of them, separated by spaces; split_words() gives them back.
[[nodiscard]] std::string quote_words(const std::vector<std::string>& words);

}  // namespace shoal

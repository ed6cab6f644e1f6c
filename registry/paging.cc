#include "registry/paging.h"

#include <algorithm>

#include "storage/number.h"

namespace shoal {

Result<PageRequest> parse_page(const Request& request, std::uint64_t entries_default,
                               std::uint64_t entries_max) {
  PageRequest page;
  page.limit = std::min(entries_default, entries_max);
  if (const auto text = request.parameter("n")) {
    const auto wanted = parse_number(*text);
    if (!wanted) {
      return fail(Errc::page_invalid, "the parameter 'n' must be a number of entries, not '" +
                                          std::string(text->substr(0, 100)) + "'");
    }
    page.limit = std::min(*wanted, entries_max);
  }
  page.after = request.parameter("last").value_or("");
  return page;
}

std::string next_page_link(const std::string& path, std::uint64_t limit, const std::string& last,
                           const std::string& more_query) {
  return "<" + path + "?n=" + std::to_string(limit) + "&last=" + percent_encode(last) + more_query +
         ">; rel=\"next\"";
}

}  // namespace shoal

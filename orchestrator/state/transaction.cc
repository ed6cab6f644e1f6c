#include <set>

#include <fmt/format.h>

#include "orchestrator/state/state.h"

namespace shoal {

Result<void> check(const Transaction& transaction) {
  if (transaction.writes.size() > kStateWritesMax) {
    return fail(Errc::too_large, fmt::format("{} writes in one transaction; at most {} are allowed",
                                             transaction.writes.size(), kStateWritesMax));
  }
  std::set<std::string_view> written;
  std::size_t bytes = 0;
  for (const auto& write : transaction.writes) {
    if (write.key.empty()) return fail(Errc::bad_request, "a write to the empty key");
    if (!written.insert(write.key).second) {
      return fail(Errc::bad_request, fmt::format("`{}` is written twice", write.key));
    }
    bytes += write.key.size() + (write.value ? write.value->size() : 0);
  }
  for (const auto& condition : transaction.conditions) {
    if (condition.key.empty()) return fail(Errc::bad_request, "a condition on the empty key");
    bytes += condition.key.size();
  }
  if (bytes <= kStateBytesMax) return {};
  return fail(Errc::too_large, fmt::format("a transaction of {} bytes; at most {} are allowed",
                                           bytes, kStateBytesMax));
}

}  // namespace shoal

#include "registry/http/whole_body.h"

#include <algorithm>
#include <span>

namespace shoal {
namespace {

constexpr std::uint64_t kFirstBytes = 64 << 10;

}  // namespace

asio::awaitable<Result<std::string>> read_whole(RequestBody& body, std::uint64_t bytes_max) {
  const auto too_large = [bytes_max] {
    return fail(Errc::too_large,
                "the body may have at most " + std::to_string(bytes_max) + " bytes here");
  };
  const auto length = body.length();
  if (length && *length > bytes_max) co_return too_large();
  std::string content;
  // One byte more than is expected: only a read that is not filled says that the body has ended.
  std::uint64_t room = std::min(length.value_or(kFirstBytes), kFirstBytes) + 1;
  for (;;) {
    const auto filled = content.size();
    content.resize(static_cast<std::size_t>(std::min(filled + room, bytes_max + 1)));
    const auto space = std::span(content).subspan(filled);
    const auto got = co_await body.read(space);
    if (!got) co_return tl::unexpected(got.error());
    content.resize(filled + *got);
    if (content.size() > bytes_max) co_return too_large();
    if (*got < space.size()) co_return content;
    room = content.size() * 3;
  }
}

}  // namespace shoal

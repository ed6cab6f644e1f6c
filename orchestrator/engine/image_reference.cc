#include "orchestrator/engine/image_reference.h"

#include <charconv>
#include <utility>

#include <fmt/format.h>

namespace shoal {
namespace {

constexpr std::string_view kHost = "127.0.0.1:";

}  // namespace

std::string ImageReference::name() const {
  return fmt::format("{}{}/{}", kHost, port, repository.text());
}

std::string ImageReference::text() const {
  return fmt::format("{}@{}", name(), digest.to_string());
}

Result<ImageReference> ImageReference::parse(std::string_view text) {
  const auto broken = [text] {
    return fail(Errc::bad_request,
                fmt::format("`{}` is not 127.0.0.1:PORT/REPOSITORY@DIGEST", text));
  };
  const auto slash = text.find('/');
  const auto at = text.find('@');
  if (!text.starts_with(kHost) || slash == std::string_view::npos || at == std::string_view::npos ||
      at < slash) {
    return broken();
  }
  const auto port_text = text.substr(kHost.size(), slash - kHost.size());
  std::uint16_t port = 0;
  const auto* const end = port_text.data() + port_text.size();
  const auto [last, error] = std::from_chars(port_text.data(), end, port);
  if (error != std::errc() || last != end || port == 0) return broken();
  auto repository = Repository::parse(text.substr(slash + 1, at - slash - 1));
  if (!repository) return tl::unexpected(repository.error());
  const auto digest = Digest::parse(text.substr(at + 1));
  if (!digest) return tl::unexpected(digest.error());
  return ImageReference{port, *std::move(repository), *digest};
}

}  // namespace shoal

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "orchestrator/engine/engine.h"
#include "orchestrator/engine/engine_json.h"
#include "orchestrator/engine/line_splitter.h"

namespace shoal {
namespace {

constexpr std::size_t kLineBytesMax = 1 << 20;

std::string image_path(const ImageReference& image, const char* behind) {
  // Docker wants its slashes, colons and @ as they are or escaped; podman too.
  return fmt::format("/images/{}{}", percent_encode(image.text()), behind);
}

}  // namespace

asio::awaitable<Result<void>> Engine::read_pull(Stream& stream, PullProgress& progress,
                                                const PullSink& sink) {
  LineSplitter lines(kLineBytesMax);
  const auto take = [&](std::string_view text) {
    const auto line = parse_pull_line(text);
    if (!line) return;
    const PullState before = progress.state();
    progress.add(*line);
    if (sink && !(progress.state() == before)) sink(progress.state());
  };
  for (;;) {
    const auto piece = co_await stream.read();
    if (!piece) co_return tl::unexpected(piece.error());
    if (piece->empty()) break;
    lines.add(*piece, take);
  }
  lines.finish(take);
  co_return Result<void>();
}

asio::awaitable<Result<void>> Engine::pull(PullOrder order, PullSink sink, Interrupt* interrupt) {
  // Always with a tag: without one Docker pulls every tag of the repository.
  Call call{"POST",
            fmt::format("/images/create?fromImage={}&tag={}", percent_encode(order.image.name()),
                        percent_encode(order.image.digest.to_string()))};
  if (!order.platform.empty()) call.path += "&platform=" + percent_encode(order.platform);
  call.patience = config_.pull_stall;
  call.interrupt = interrupt;
  PullProgress progress(order.layers);
  Result<void> done;
  auto opened = co_await open(std::move(call));
  if (opened) {
    done = co_await read_pull(**opened, progress, sink);
    opened->reset();
  } else {
    done = tl::unexpected(opened.error());
  }
  if (done && !progress.error().empty()) {
    done = fail(Errc::unavailable, fmt::format("the container engine could not pull {}: {}",
                                               order.image.text(), progress.error()));
  }
  // Docker says 404 where podman has an error line; both mean that the registry has no such image.
  if (!done && done.error().code == Errc::name_unknown) done.error().code = Errc::manifest_unknown;
  if (!done) co_return done;

  // Neither the status nor the last line says that it worked: only the image does.
  const auto image = co_await find_image(order.image);
  if (!image) co_return tl::unexpected(image.error());
  if (!*image) {
    co_return fail(Errc::io, fmt::format("the container engine ended the pull of {} without an "
                                         "error, and does not hold it",
                                         order.image.text()));
  }
  progress.finish();
  if (sink) sink(progress.state());
  co_return Result<void>();
}

asio::awaitable<Result<std::optional<EngineImage>>> Engine::find_image(ImageReference image) {
  auto body = co_await ask(Call("GET", image_path(image, "/json")), Errc::manifest_unknown);
  if (!body && body.error().code == Errc::manifest_unknown) co_return std::nullopt;
  if (!body) co_return tl::unexpected(body.error());
  auto parsed = parse_image(*body);
  if (!parsed) co_return tl::unexpected(parsed.error());
  // Podman looks at the digest alone, and finds what another repository has.
  const auto& digests = parsed->repo_digests;
  if (std::find(digests.begin(), digests.end(), image.text()) == digests.end()) {
    co_return std::nullopt;
  }
  co_return std::optional<EngineImage>(*std::move(parsed));
}

asio::awaitable<Result<void>> Engine::remove_image(ImageReference image) {
  // Else podman would remove what somebody else pulled from elsewhere.
  const auto held = co_await find_image(image);
  if (!held) co_return tl::unexpected(held.error());
  if (!*held) co_return Result<void>();
  auto body = co_await ask(Call("DELETE", image_path(image, "")), Errc::manifest_unknown);
  if (body || body.error().code == Errc::manifest_unknown) co_return Result<void>();
  if (body.error().code == Errc::conflict || body.error().code == Errc::denied) {
    co_return tl::unexpected(body.error());
  }
  const auto now = co_await find_image(image);
  if (now && !*now) co_return Result<void>();
  co_return tl::unexpected(body.error());
}

}  // namespace shoal

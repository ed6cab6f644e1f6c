#include "cli/cccf_engine.h"

#include <set>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include "orchestrator/engine/engine.h"

namespace shoal {
namespace {

constexpr std::string_view kScheme = "unix://";

asio::awaitable<Result<JsonValue>> get(Engine& engine, std::string path) {
  Engine::Call call("GET", std::move(path));
  const auto stream = co_await engine.open(std::move(call));
  if (!stream) co_return tl::unexpected(stream.error());
  std::string body;
  for (;;) {
    const auto piece = co_await (*stream)->read();
    if (!piece) co_return tl::unexpected(piece.error());
    if (piece->empty()) break;
    body += *piece;
    if (body.size() > kInspectionBytesMax) {
      co_return fail(Errc::too_large, "the engine's answer is larger than 16 MiB");
    }
  }
  co_return parse_json(body);
}

/// What is there no more is left out: it was removed while we asked.
bool is_gone(const Error& error) {
  return error.code == Errc::name_unknown || error.code == Errc::manifest_unknown;
}

asio::awaitable<Result<DockerInspection>> inspect(Engine& engine, bool all) {
  const std::string path = all ? "/containers/json?all=1" : "/containers/json";
  const auto list = co_await get(engine, path);
  if (!list) co_return tl::unexpected(list.error());
  if (list->array() == nullptr) co_return fail(Errc::io, "the engine's answer is no list");
  DockerInspection inspection;
  std::set<std::string> images;
  for (const JsonValue& one : *list->array()) {
    const std::string* const id = one.find_text("Id");
    if (id == nullptr) continue;
    auto container = co_await get(engine, "/containers/" + *id + "/json");
    if (!container && is_gone(container.error())) continue;
    if (!container) co_return tl::unexpected(container.error());
    const std::string* const image = container->find_text("Image");
    if (image != nullptr) images.insert(*image);
    inspection.containers.push_back(*std::move(container));
  }
  for (const std::string& id : images) {
    auto image = co_await get(engine, "/images/" + id + "/json");
    if (!image && is_gone(image.error())) continue;
    if (!image) co_return tl::unexpected(image.error());
    inspection.images.push_back(*std::move(image));
  }
  co_return inspection;
}

}  // namespace

Result<DockerInspection> inspect_engine(const std::string& address, bool all) {
  if (!address.starts_with(kScheme) || address.size() == kScheme.size()) {
    return fail(Errc::usage,
                "--engine: \"" + address + "\" is not unix://PATH, as unix:///var/run/docker.sock");
  }
  asio::io_context loop;
  EngineConfig config;
  config.socket = address.substr(kScheme.size());
  Engine engine(loop.get_executor(), config);
  Result<DockerInspection> result = fail(Errc::io, "the engine was not asked");
  std::exception_ptr thrown;
  asio::co_spawn(loop, inspect(engine, all),
                 [&](std::exception_ptr error, Result<DockerInspection> found) {
                   thrown = error;
                   result = std::move(found);
                 });
  loop.run();
  if (thrown) std::rethrow_exception(thrown);
  return result;
}

}  // namespace shoal

#include "orchestrator/engine/engine.h"

#include <utility>

#include <fmt/format.h>

#include "orchestrator/engine/engine_json.h"

namespace shoal {
namespace {

constexpr std::size_t kAnswerBytesMax = 64 << 20;  // The list of a host with 10,000 containers: 20.

}  // namespace

Error engine_error(int status, const std::string& body, Errc unknown) {
  const auto message = error_message(body);
  const auto text = fmt::format("the container engine: {}", message);
  switch (status) {
    case 400: return {Errc::bad_request, text};
    case 401:
    case 403: return {Errc::denied, text};
    case 404: return {unknown, text};
    case 409: return {Errc::conflict, text};
    default: break;
  }
  return {Errc::unavailable, fmt::format("{} (HTTP {})", text, status)};
}

Engine::Stream::Stream(asio::any_io_executor executor, StreamAddress address,
                       std::chrono::milliseconds patience, Interrupt* its_interrupt,
                       Interrupt* stopped)
    : of_call(its_interrupt, [this] { either.raise(); }),
      of_engine(stopped, [this] { either.raise(); }),
      exchange(std::move(executor), std::move(address), patience, &either) {}

Engine::Engine(asio::any_io_executor executor, EngineConfig config)
    : executor_(std::move(executor)), config_(std::move(config)) {}

Engine::~Engine() = default;

void Engine::stop() { stopped_.raise(); }

StreamAddress Engine::address() const { return {config_.socket, {}, 0}; }

std::unique_ptr<Engine::Stream> Engine::stream(const Call& call) {
  const auto patience = call.patience.count() > 0 ? call.patience : config_.answer_timeout;
  return std::make_unique<Stream>(executor_, address(), patience, call.interrupt, &stopped_);
}

asio::awaitable<Result<EngineInfo>> Engine::probe() {
  if (info_) co_return *info_;
  co_return co_await probe_anew();
}

asio::awaitable<Result<HttpAnswer>> Engine::get(std::string path) {
  const auto line = stream(Call("GET", path));
  Headers none;
  auto head = co_await line->exchange.open("GET", path, std::move(none), std::string());
  if (!head) co_return tl::unexpected(head.error());
  auto body = co_await line->exchange.read_all(kAnswerBytesMax);
  if (!body) co_return tl::unexpected(body.error());
  if (head->status != 200) {
    co_return tl::unexpected(engine_error(head->status, *body, Errc::unavailable));
  }
  HttpAnswer answer;
  answer.status = head->status;
  answer.headers = std::move(head->headers);
  answer.body = *std::move(body);
  co_return answer;
}

asio::awaitable<Result<EngineInfo>> Engine::probe_anew() {
  const auto ping = co_await get("/_ping");
  if (!ping) co_return tl::unexpected(ping.error());
  const auto newest = ping->headers.find("Api-Version");
  if (!newest) {
    co_return fail(Errc::unsupported,
                   fmt::format("{} answers HTTP, but is no container engine", config_.socket));
  }
  EngineInfo info;
  const auto libpod = ping->headers.find("Libpod-Api-Version");
  info.kind = libpod ? EngineKind::podman : EngineKind::docker;

  // These are as old as the API: no version in the path is needed to learn the version.
  const auto version_answer = co_await get("/version");
  if (!version_answer) co_return tl::unexpected(version_answer.error());
  const auto version = parse_version(version_answer->body);
  if (!version) co_return tl::unexpected(version.error());
  const auto chosen = negotiate(*newest, version->api_min);
  if (!chosen) co_return tl::unexpected(chosen.error());
  info.version = version->engine_version;
  info.api_version = *chosen;

  const auto details = co_await get(fmt::format("/v{}/info", *chosen));
  if (!details) co_return tl::unexpected(details.error());
  parse_info(details->body, info);
  info_ = info;
  co_return info;
}

asio::awaitable<Engine::Attempt> Engine::attempt(Call call) {
  Attempt attempt;
  const auto info = co_await probe();
  if (!info) {
    attempt.error = info.error();
    co_return attempt;
  }
  const auto line = stream(call);
  Headers headers;
  if (!call.body.empty()) headers.add("Content-Type", "application/json");
  const auto path = fmt::format("/v{}{}", info->api_version, call.path);
  const auto head = co_await line->exchange.open(call.method, path, headers, call.body);
  if (!head) {
    attempt.error = head.error();
    attempt.lost = line->exchange.sent();
    info_.reset();  // It may come back as another.
    co_return attempt;
  }
  auto body = co_await line->exchange.read_all(kAnswerBytesMax);
  if (!body) {
    attempt.error = body.error();
    attempt.lost = true;
    co_return attempt;
  }
  attempt.answer.status = head->status;
  attempt.answer.body = *std::move(body);
  co_return attempt;
}

asio::awaitable<Result<std::string>> Engine::ask(Call call, Errc unknown) {
  auto attempted = co_await attempt(std::move(call));
  if (attempted.error) co_return tl::unexpected(*attempted.error);
  auto& answer = attempted.answer;
  if (answer.status >= 400) {
    co_return tl::unexpected(engine_error(answer.status, answer.body, unknown));
  }
  co_return std::move(answer.body);
}

asio::awaitable<Result<std::unique_ptr<Engine::Stream>>> Engine::open(Call call) {
  const auto info = co_await probe();
  if (!info) co_return tl::unexpected(info.error());
  auto line = stream(call);
  Headers headers;
  if (!call.body.empty()) headers.add("Content-Type", "application/json");
  const auto path = fmt::format("/v{}{}", info->api_version, call.path);
  auto head = co_await line->exchange.open(call.method, path, headers, call.body);
  if (!head) {
    info_.reset();
    co_return tl::unexpected(head.error());
  }
  if (head->status >= 400) {
    const auto body = co_await line->exchange.read_all(kAnswerBytesMax);
    if (!body) co_return tl::unexpected(body.error());
    co_return tl::unexpected(engine_error(head->status, *body, Errc::name_unknown));
  }
  line->head = *std::move(head);
  co_return std::move(line);
}

}  // namespace shoal

#include <algorithm>
#include <memory>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <boost/asio/steady_timer.hpp>

#include "orchestrator/engine/create_document.h"
#include "orchestrator/engine/engine.h"
#include "orchestrator/engine/engine_json.h"
#include "orchestrator/engine/log_frames.h"

namespace shoal {
namespace {

constexpr std::size_t kOutputBytesMax = 4 << 10;  // Of an exec, as far as it is kept.
constexpr std::chrono::milliseconds kSecondLook{200};
constexpr std::chrono::milliseconds kExecPoll{20};
constexpr const char* kExecStart = R"({"Detach":false,"Tty":false})";

std::string container_path(std::string_view id, std::string_view behind) {
  return fmt::format("/containers/{}{}", percent_encode(id), behind);
}

std::int64_t whole_seconds(std::chrono::milliseconds time) {
  return std::chrono::ceil<std::chrono::seconds>(time).count();
}

bool is_active(const std::optional<Container>& container) {
  return container && container->active();
}

}  // namespace

asio::awaitable<Result<std::vector<Container>>> Engine::list(std::string label) {
  const auto filter = label_filter({label});
  const auto path = fmt::format("/containers/json?all=1&filters={}", percent_encode(filter));
  const auto body = co_await ask(Call("GET", path), Errc::io);
  if (!body) co_return tl::unexpected(body.error());
  co_return parse_container_list(*body);
}

asio::awaitable<Result<std::optional<Container>>> Engine::find(std::string id) {
  const auto body = co_await ask(Call("GET", container_path(id, "/json")), Errc::name_unknown);
  if (!body && body.error().code == Errc::name_unknown) co_return std::nullopt;
  if (!body) co_return tl::unexpected(body.error());
  auto container = parse_container(*body);
  if (!container) co_return tl::unexpected(container.error());
  co_return std::optional<Container>(*std::move(container));
}

asio::awaitable<Result<int>> Engine::wait(std::string id, Interrupt* interrupt) {
  for (;;) {
    auto code = co_await wait_once(id, interrupt);
    // A silence is what a wait is made of; the container tells whether it is a good one.
    if (code || code.error().code != Errc::timed_out) co_return code;
    const auto container = co_await find(id);
    if (!container) co_return tl::unexpected(container.error());
    if (!*container) {
      co_return fail(Errc::name_unknown, fmt::format("the container {} is gone", id));
    }
    if (!is_active(*container)) co_return (*container)->exit_code;
  }
}

asio::awaitable<Result<int>> Engine::wait_once(std::string id, Interrupt* interrupt) {
  Call call{"POST", container_path(id, "/wait?condition=not-running")};
  call.patience = config_.stream_silence;
  call.interrupt = interrupt;
  const auto body = co_await ask(std::move(call), Errc::name_unknown);
  if (!body) co_return tl::unexpected(body.error());
  co_return parse_wait(*body);
}

asio::awaitable<Result<std::optional<OwnedContainer>>> Engine::find_created(std::string name,
                                                                            SlotLabels labels) {
  const auto found = co_await find(name);
  if (!found) co_return tl::unexpected(found.error());
  if (!*found || (*found)->name != name) co_return std::nullopt;
  auto owned = OwnedContainer::of(**found, labels.owner);
  if (owned && owned->labels() == labels) co_return owned;
  const bool ours = owned.has_value();
  co_return fail(Errc::conflict,
                 fmt::format("the name `{}` belongs to the container {}, which {}", name,
                             (*found)->id.substr(0, 12),
                             ours ? "this cluster created for something else"
                                  : "shoal did not create: rename it, remove it, or adopt it"));
}

asio::awaitable<Result<OwnedContainer>> Engine::create(std::string name, std::string document,
                                                       SlotLabels labels) {
  const auto body = with_labels(document, labels.to_map());
  if (!body) co_return tl::unexpected(body.error());
  Call call{"POST", fmt::format("/containers/create?name={}", percent_encode(name)), *body};
  const auto attempted = co_await attempt(std::move(call));
  const auto& answer = attempted.answer;
  if (!attempted.error && answer.status < 400) {
    const auto id = parse_id(answer.body);
    if (!id) co_return tl::unexpected(id.error());
    Container made;
    made.id = *id;
    made.name = name;
    made.labels = labels.to_map();
    auto owned = OwnedContainer::of(made, labels.owner);
    if (!owned) co_return fail(Errc::bad_request, "a container needs all of shoal's labels");
    co_return *std::move(owned);
  }
  if (attempted.error && !attempted.lost) co_return tl::unexpected(*attempted.error);
  Error error{Errc::outcome_unknown, {}};
  if (attempted.error) {
    error.message = fmt::format("nobody knows whether the engine creates `{}`: {}", name,
                                attempted.error->message);
  } else {
    error = engine_error(answer.status, answer.body, Errc::manifest_unknown);
    // These say what is wrong. Docker's 409 and podman's 500 may be about the name.
    const bool told = answer.status != 409 && answer.status < 500;
    if (told) co_return tl::unexpected(error);
  }
  auto found = co_await find_created(name, labels);
  if (found && !*found && attempted.error) {
    // The engine may be at it still.
    const bool slept = co_await stopped_.sleep(executor_, kSecondLook);
    if (slept) found = co_await find_created(name, labels);
  }
  if (found && *found) co_return **std::move(found);
  if (!found && found.error().code == Errc::conflict) co_return tl::unexpected(found.error());
  co_return tl::unexpected(error);
}

asio::awaitable<Result<void>> Engine::change(OwnedContainer container, Call call, Goal reached) {
  const auto attempted = co_await attempt(std::move(call));
  const auto& answer = attempted.answer;
  if (!attempted.error && answer.status < 400) co_return Result<void>();
  if (attempted.error && !attempted.lost) co_return tl::unexpected(*attempted.error);

  const auto now = co_await find(container.id());
  if (now && reached(*now)) co_return Result<void>();
  if (attempted.error) {
    co_return fail(Errc::outcome_unknown,
                   fmt::format("nobody knows what the engine does with `{}`: {}", container.name(),
                               attempted.error->message));
  }
  auto error = engine_error(answer.status, answer.body, Errc::name_unknown);
  if (now && !*now) error.code = Errc::name_unknown;
  co_return tl::unexpected(error);
}

asio::awaitable<Result<void>> Engine::start(OwnedContainer container) {
  Call call{"POST", container_path(container.id(), "/start")};
  co_return co_await change(std::move(container), std::move(call), is_active);
}

asio::awaitable<Result<void>> Engine::stop(OwnedContainer container,
                                           std::chrono::milliseconds grace) {
  const auto seconds = whole_seconds(grace);
  Call call{"POST", container_path(container.id(), fmt::format("/stop?t={}", seconds))};
  call.patience = std::chrono::seconds(seconds) + config_.answer_timeout;
  const Goal stopped = [](const auto& now) { return !is_active(now); };
  co_return co_await change(std::move(container), std::move(call), stopped);
}

asio::awaitable<Result<void>> Engine::kill(OwnedContainer container, std::string signal) {
  Call call{"POST", container_path(container.id(), "/kill?signal=" + percent_encode(signal))};
  const Goal stopped = [](const auto& now) { return !is_active(now); };
  co_return co_await change(std::move(container), std::move(call), stopped);
}

asio::awaitable<Result<void>> Engine::remove(OwnedContainer container) {
  // Without force: what runs is stopped first, by a call of its own.
  Call call{"DELETE", container_path(container.id(), "?v=1")};
  const Goal gone = [](const std::optional<Container>& now) { return !now; };
  auto removed = co_await change(container, std::move(call), gone);
  if (removed || removed.error().code != Errc::unavailable) co_return removed;
  // Podman says 500 of one that runs, Docker 409.
  const auto now = co_await find(container.id());
  if (now && is_active(*now)) removed.error().code = Errc::conflict;
  co_return removed;
}

asio::awaitable<Result<void>> Engine::rename(OwnedContainer container, std::string name) {
  Call call{"POST", container_path(container.id(), "/rename?name=" + percent_encode(name))};
  const Goal renamed = [name](const std::optional<Container>& now) {
    return now && now->name == name;
  };
  co_return co_await change(std::move(container), std::move(call), renamed);
}

asio::awaitable<Result<Engine::ExecResult>> Engine::exec(OwnedContainer container,
                                                         std::vector<std::string> command,
                                                         std::chrono::milliseconds timeout) {
  // Of all of it: the command may say something every second and never end. Shared, because the
  // timer's handler may already be queued when the timer is cancelled.
  const auto late = std::make_shared<Interrupt>();
  asio::steady_timer timer(executor_, timeout);
  timer.async_wait([late](const boost::system::error_code& error) {
    if (!error) late->raise();
  });
  auto result = co_await exec_until(std::move(container), std::move(command), late.get());
  timer.cancel();
  if (!result && late->raised()) {
    co_return fail(Errc::timed_out, fmt::format("no end within {} ms", timeout.count()));
  }
  co_return result;
}

asio::awaitable<Result<Engine::ExecResult>> Engine::exec_until(OwnedContainer container,
                                                               std::vector<std::string> command,
                                                               Interrupt* late) {
  Call create{"POST", container_path(container.id(), "/exec"), exec_document(command)};
  create.interrupt = late;
  const auto created = co_await ask(std::move(create), Errc::name_unknown);
  if (!created) co_return tl::unexpected(created.error());
  const auto id = parse_id(*created);
  if (!id) co_return tl::unexpected(id.error());

  Call start{"POST", fmt::format("/exec/{}/start", percent_encode(*id)), kExecStart};
  start.interrupt = late;
  const auto stream = co_await open(std::move(start));
  if (!stream) co_return tl::unexpected(stream.error());
  ExecResult result;
  LogFrames frames;
  const auto keep = [&result](LogStream, std::string_view text) {
    const auto room = kOutputBytesMax - std::min(kOutputBytesMax, result.output.size());
    result.output += text.substr(0, room);
  };
  for (;;) {
    const auto piece = co_await (*stream)->read();
    if (!piece) co_return tl::unexpected(piece.error());
    if (piece->empty()) break;
    if (auto framed = frames.add(*piece, keep); !framed) co_return tl::unexpected(framed.error());
  }
  // The output ends a moment before the engine knows the exit code.
  for (;;) {
    Call inspect{"GET", fmt::format("/exec/{}/json", percent_encode(*id))};
    inspect.interrupt = late;
    const auto body = co_await ask(std::move(inspect), Errc::name_unknown);
    if (!body) co_return tl::unexpected(body.error());
    const auto code = parse_exec(*body);
    if (!code) co_return tl::unexpected(code.error());
    if (*code) {
      result.exit_code = **code;
      co_return result;
    }
    const bool more = co_await late->sleep(executor_, kExecPoll);
    if (!more) co_return fail(Errc::timed_out, "the command did not end");
  }
}

}  // namespace shoal

#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include "orchestrator/engine/container.h"
#include "orchestrator/engine/engine_info.h"
#include "orchestrator/engine/http_exchange.h"
#include "orchestrator/engine/image_reference.h"
#include "orchestrator/engine/interrupt.h"
#include "orchestrator/engine/pull_progress.h"

namespace shoal {

struct EngineConfig {
  std::string socket = "/var/run/docker.sock";
  std::chrono::milliseconds answer_timeout{30'000};  // For a call that should take milliseconds.
  /// A pull without a word. Podman says nothing while it fetches a layer, so that this is how long
  /// a layer may take there.
  std::chrono::milliseconds pull_stall{30 * 60'000};
  /// A stream (events, logs, wait) that is silent for so long is opened anew, in case the engine
  /// forgot it.
  std::chrono::milliseconds stream_silence{5 * 60'000};
};

/// A client of a container engine over its unix socket: Docker's API, as Docker 20.10 and podman
/// 4.3 speak it. Docs/engine.md lists what they do differently; callers see one behaviour.
///
/// Lives on `executor`, which runs one handler at a time (an io_context of one thread, a strand):
/// all calls are made and resume there, any number at once, and nothing in it blocks. It must
/// outlive its calls; stop() makes them end.
///
/// Errors of all calls: unavailable (no engine on the socket, it refuses at the moment, or the call
/// was interrupted), timed_out, io (the connection broke, or an answer makes no sense), denied,
/// bad_request (the engine refuses the parameters; its own words follow), name_unknown (no such
/// container), manifest_unknown (no such image), conflict. Where a change was asked for and no
/// answer came, or 409 or 500, which the engines use for many things, a look at the container
/// decides whether it succeeded; outcome_unknown only if that look fails or shows the old state
/// after an answer was lost. Each change may be repeated.
class Engine {
 public:
  Engine(asio::any_io_executor executor, EngineConfig config);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  /// Ends all calls, for good. On the executor.
  void stop();
  [[nodiscard]] asio::any_io_executor executor() const { return executor_; }
  [[nodiscard]] const EngineConfig& config() const { return config_; }

  /// Who answers: asked at the first call and again after the engine was away.
  [[nodiscard]] asio::awaitable<Result<EngineInfo>> probe();

  // Images. References are by digest, so that no tag can drift.

  struct PullOrder {
    ImageReference image;
    std::vector<PullProgress::Layer> layers{};  // Make the figures exact; see PullProgress.
    std::string platform{};                     // `linux/arm64`; empty: the engine's own.
  };
  using PullSink = std::function<void(const PullState& state)>;
  /// Has the engine fetch the image, and makes sure that it is there under this reference. A pull
  /// that is under way already is joined; one that is interrupted is cancelled in the engine.
  [[nodiscard]] asio::awaitable<Result<void>> pull(PullOrder order, PullSink sink,
                                                   Interrupt* interrupt = nullptr);
  /// Nothing if the engine does not hold it under this very reference.
  [[nodiscard]] asio::awaitable<Result<std::optional<EngineImage>>> find_image(
      ImageReference image);
  /// Gives up this reference, and the image if it has no other. An image that is not there is a
  /// success; conflict if a container needs it.
  [[nodiscard]] asio::awaitable<Result<void>> remove_image(ImageReference image);

  // Looking at containers, whoever made them.

  /// All that have this label, `name` or `name=value`, stopped ones too.
  [[nodiscard]] asio::awaitable<Result<std::vector<Container>>> list(std::string label);
  /// By id or name. Nothing if there is none.
  [[nodiscard]] asio::awaitable<Result<std::optional<Container>>> find(std::string id);
  /// Until the container does not run: its exit code.
  [[nodiscard]] asio::awaitable<Result<int>> wait(std::string id, Interrupt* interrupt = nullptr);

  // Changing our own.

  /// `document` is the API's create document without labels, see create_document.h. A container of
  /// that name with the same labels is a success: an earlier try whose answer was lost. Fails with
  /// conflict if the name belongs to another container, which the message names.
  [[nodiscard]] asio::awaitable<Result<OwnedContainer>> create(std::string name,
                                                               std::string document,
                                                               SlotLabels labels);
  [[nodiscard]] asio::awaitable<Result<void>> start(OwnedContainer container);
  /// Its stop signal, and the kill after `grace`, rounded up to seconds. One that does not run is a
  /// success.
  [[nodiscard]] asio::awaitable<Result<void>> stop(OwnedContainer container,
                                                   std::chrono::milliseconds grace);
  /// Success if it does not run afterwards, and for other signals than KILL if it was sent.
  [[nodiscard]] asio::awaitable<Result<void>> kill(OwnedContainer container, std::string signal);
  /// With its anonymous volumes. One that is not there is a success; conflict if it runs.
  [[nodiscard]] asio::awaitable<Result<void>> remove(OwnedContainer container);
  [[nodiscard]] asio::awaitable<Result<void>> rename(OwnedContainer container, std::string name);

  struct ExecResult {
    int exit_code = 0;
    std::string output;  // Both streams, the first kilobytes.
  };
  /// Runs a command in a container; timed_out after `timeout` altogether. (No engine can end a
  /// command that was begun: it may go on.)
  [[nodiscard]] asio::awaitable<Result<ExecResult>> exec(OwnedContainer container,
                                                         std::vector<std::string> command,
                                                         std::chrono::milliseconds timeout);

  // For the streams beside it: engine_logs.h, engine_events.h.

  /// With a constructor, because g++ 12 miscompiles aggregates that are made within a co_await.
  struct Call {
    Call(std::string its_method, std::string its_path, std::string its_body = {})
        : method(std::move(its_method)), path(std::move(its_path)), body(std::move(its_body)) {}

    std::string method;
    std::string path;  // Behind the version: `/containers/json?all=1`.
    std::string body;
    std::chrono::milliseconds patience{0};  // Zero: answer_timeout.
    Interrupt* interrupt = nullptr;         // May be null; stop() ends the call in any case.
  };
  /// An answer whose body follows. A status of 400 and above is an error.
  struct Stream;
  [[nodiscard]] asio::awaitable<Result<std::unique_ptr<Stream>>> open(Call call);

 private:
  struct Answer {
    int status = 0;
    std::string body;
  };
  /// What a change came to: `error` is why nobody knows, or why not.
  struct Attempt {
    Answer answer;
    std::optional<Error> error;
    bool lost = false;  // The engine may have done it, or do it still.
  };
  [[nodiscard]] asio::awaitable<Attempt> attempt(Call call);
  /// Fails for a status of 400 and above; `unknown` is the code of a 404.
  [[nodiscard]] asio::awaitable<Result<std::string>> ask(Call call, Errc unknown);
  [[nodiscard]] asio::awaitable<Result<EngineInfo>> probe_anew();
  /// Without a version in the path; fails for a status other than 200.
  [[nodiscard]] asio::awaitable<Result<HttpAnswer>> get(std::string path);
  [[nodiscard]] std::unique_ptr<Stream> stream(const Call& call);
  /// Judges a change by what the container looks like now.
  using Goal = std::function<bool(const std::optional<Container>&)>;
  [[nodiscard]] asio::awaitable<Result<void>> change(OwnedContainer container, Call call,
                                                     Goal reached);
  [[nodiscard]] asio::awaitable<Result<std::optional<OwnedContainer>>> find_created(
      std::string name, SlotLabels labels);
  [[nodiscard]] asio::awaitable<Result<ExecResult>> exec_until(OwnedContainer container,
                                                               std::vector<std::string> command,
                                                               Interrupt* late);
  [[nodiscard]] asio::awaitable<Result<int>> wait_once(std::string id, Interrupt* interrupt);
  [[nodiscard]] asio::awaitable<Result<void>> read_pull(Stream& stream, PullProgress& progress,
                                                        const PullSink& sink);
  [[nodiscard]] StreamAddress address() const;

  const asio::any_io_executor executor_;
  const EngineConfig config_;
  Interrupt stopped_;
  std::optional<EngineInfo> info_;
};

struct Engine::Stream {
  Stream(asio::any_io_executor executor, StreamAddress address, std::chrono::milliseconds patience,
         Interrupt* its_interrupt, Interrupt* stopped);

  /// As HttpExchange::read().
  [[nodiscard]] asio::awaitable<Result<std::string>> read() { return exchange.read(); }

  Interrupt either;  // Raised by one of the two.
  Interrupt::Guard of_call;
  Interrupt::Guard of_engine;
  HttpExchange exchange;
  HttpClient::Head head;
};

/// The error that an answer of 400 and above means. `unknown` is the code of a 404.
[[nodiscard]] Error engine_error(int status, const std::string& body, Errc unknown);

}  // namespace shoal

#include "orchestrator/state_home.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>
#include <variant>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "orchestrator/keys.h"
#include "orchestrator/state/embedded_state.h"
#include "orchestrator/state/etcd_state.h"
#include "orchestrator/state/state_url.h"

namespace shoal {
namespace {

Result<std::shared_ptr<State>> open_etcd(const std::string& text, const StateConfig& config) {
  const auto url = parse_state_url(text);
  if (!url) return tl::unexpected(url.error());
  if (url->embedded) return fail(Errc::usage, "`embedded` is no etcd: write etcd://HOST:PORT");
  auto read = etcd_config(
      *url, {config.ca, config.certificate, config.key, config.user, config.password_file});
  if (!read) return tl::unexpected(read.error());
  auto client = EtcdState::to(*std::move(read));
  if (!client) return tl::unexpected(client.error());
  return std::shared_ptr<State>(*std::move(client));
}

/// The embedded state of another member.
Result<std::shared_ptr<State>> open_member(const StateLocation& location,
                                           const std::vector<std::string>& join,
                                           std::shared_ptr<TlsContext> tls) {
  EtcdConfig config;
  config.endpoints = location.endpoints;
  // Its address may have changed since we joined.
  for (const auto& address : join) {
    auto url = "https://" + address;
    auto& known = config.endpoints;
    if (std::find(known.begin(), known.end(), url) == known.end()) known.push_back(std::move(url));
  }
  config.tls = std::move(tls);
  config.peer = location.peer;
  config.prefix = "";
  auto client = EtcdState::to(std::move(config));
  if (!client) return tl::unexpected(client.error());
  return std::shared_ptr<State>(*std::move(client));
}

}  // namespace

/// Destroyed from the last member to the first.
struct StateHome::Impl {
  void follow(const StateEvent& event);
  void mover();
  void go_to(const std::string& url);

  ClusterConfig config;
  std::filesystem::path folder;
  std::shared_ptr<EmbeddedState> embedded;
  std::unique_ptr<StateGateway> gateway;
  std::unique_ptr<MovableState> state;

  mutable std::mutex mutex;  // Guards what is below.
  std::condition_variable wake;
  StateLocation location;
  std::string wanted;  // Where the state was said to be now; "": nothing to do.
  bool stopping = false;

  std::mutex moving;  // One move_to() at a time.
  std::thread thread;
  std::unique_ptr<StateWatch> watch;

  ~Impl() {
    watch.reset();
    {
      const std::lock_guard lock(mutex);
      stopping = true;
      wake.notify_all();
    }
    if (thread.joinable()) thread.join();
  }
};

/// From the watch, which must not be ended here: the mover does that.
void StateHome::Impl::follow(const StateEvent& event) {
  std::string url;
  const auto take = [&](const StateEntry& entry) {
    if (entry.key == kStateMoved) url = entry.value;
  };
  if (const auto* relisted = std::get_if<StateRelisted>(&event)) {
    for (const auto& entry : relisted->entries) take(entry);
  } else {
    for (const auto& change : std::get<StateChanged>(event).changes) {
      if (!change.erased) take(change.entry);
    }
  }
  if (url.empty()) return;
  const std::lock_guard lock(mutex);
  wanted = url;
  wake.notify_all();
}

void StateHome::Impl::mover() {
  std::unique_lock lock(mutex);
  for (;;) {
    wake.wait(lock, [this] { return stopping || !wanted.empty(); });
    if (stopping) return;
    const auto url = std::exchange(wanted, {});
    const bool there = location.driver == "etcd" && location.endpoints == std::vector{url};
    lock.unlock();
    if (!there) go_to(url);
    lock.lock();
  }
}

void StateHome::Impl::go_to(const std::string& url) {
  auto next = open_etcd(url, config.state);
  if (!next) {
    spdlog::error("the state moved, and this node cannot follow url={} reason=\"{}\"", url,
                  next.error().message);
    return;
  }
  const StateLocation there{"etcd", {url}, ""};
  if (const auto saved = save_state_location(folder, there); !saved) {
    spdlog::warn("the state's place is not remembered url={} reason=\"{}\"", url,
                 saved.error().message);
  }
  {
    const std::lock_guard lock(mutex);
    location = there;
  }
  state->move_to(*std::move(next));
  spdlog::info("the state moved url={}", url);
}

StateHome::StateHome(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
StateHome::~StateHome() = default;

Result<std::unique_ptr<StateHome>> StateHome::open(const ClusterConfig& config,
                                                   std::filesystem::path folder,
                                                   const Enrolment& enrolled,
                                                   std::shared_ptr<TlsContext> client_tls,
                                                   asio::thread_pool& pool) {
  auto impl = std::make_unique<Impl>();
  impl->config = config;
  impl->location = enrolled.state;
  const auto& location = impl->location;
  const bool in_etcd = location.driver == "etcd";
  const bool here = !in_etcd && location.peer == enrolled.identity.node_id;
  const auto own = folder / "state";
  if (here || std::filesystem::exists(own)) {
    auto opened = EmbeddedState::open({own});
    if (!opened) return tl::unexpected(opened.error());
    impl->embedded = *std::move(opened);
    const auto admit = [own = impl->embedded.get()](const std::string& peer) {
      const auto removed = own->get(state_keys::removed(peer));
      return !removed || !*removed;
    };
    impl->gateway = std::make_unique<StateGateway>(*impl->embedded, pool, admit);
    const auto moved = impl->embedded->get(kStateMoved);
    if (!moved) return tl::unexpected(moved.error());
    if (in_etcd || *moved) impl->embedded->freeze(true, kStateMoved);
  }
  impl->folder = std::move(folder);

  Result<std::shared_ptr<State>> first = std::shared_ptr<State>(impl->embedded);
  if (in_etcd) {
    const bool told = config.state.url != "embedded";
    first = open_etcd(told ? config.state.url : location.endpoints.front(), config.state);
  } else if (!here) {
    first = open_member(location, config.join, std::move(client_tls));
  }
  if (!first) return tl::unexpected(first.error());
  impl->state = std::make_unique<MovableState>(*std::move(first));
  std::unique_ptr<StateHome> home(new StateHome(std::move(impl)));
  auto& parts = *home->impl_;
  parts.thread = std::thread([&parts] { parts.mover(); });
  parts.watch =
      parts.state->watch(kStateMoved, [&parts](const StateEvent& event) { parts.follow(event); });
  return home;
}

State& StateHome::state() { return *impl_->state; }
StateGateway* StateHome::gateway() { return impl_->gateway.get(); }

bool StateHome::holds_state() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->embedded != nullptr && impl_->location.driver == "embedded";
}

std::string StateHome::description() const {
  const auto there = location();
  if (there.driver != "embedded") return impl_->state->description();
  if (holds_state()) return "embedded";
  return fmt::format("embedded, on {}", fmt::join(there.endpoints, ", "));
}

StateLocation StateHome::location() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->location;
}

Result<MigrateReport> StateHome::move_to(
    const std::string& url, const std::function<void(const MigrateProgress&)>& progress) {
  const std::lock_guard one(impl_->moving);
  if (!impl_->embedded) {
    return fail(Errc::conflict,
                fmt::format("the state is not on this node, but at {}: run this there",
                            impl_->state->description()));
  }
  const auto parsed = parse_state_url(url);
  if (!parsed) return tl::unexpected(parsed.error());
  const auto next = open_etcd(url, impl_->config.state);
  if (!next) return tl::unexpected(next.error());
  const bool was_here = holds_state();
  impl_->embedded->freeze(true, kStateMoved);
  const auto moved = migrate(*impl_->embedded, **next, parsed->text(), progress);
  if (!moved && was_here) impl_->embedded->freeze(false);
  return moved;
}

void StateHome::stop() {
  if (impl_->gateway) impl_->gateway->stop();
}

}  // namespace shoal

#include "orchestrator/state/gateway_watch.h"

#include <atomic>
#include <chrono>
#include <map>
#include <mutex>
#include <set>

#include <fmt/format.h>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "orchestrator/state/gateway_answers.h"
#include "storage/run_on.h"

namespace shoal {
namespace {

constexpr std::chrono::seconds kProgress{10};

}  // namespace

/// One waiting client. Its timer is touched on its executor alone.
struct GatewayWatches::Stream : std::enable_shared_from_this<Stream> {
  explicit Stream(const asio::any_io_executor& session) : executor(session), timer(session) {}

  void wake() {
    if (woken.exchange(true)) return;
    asio::post(executor, [self = shared_from_this()] { self->timer.cancel(); });
  }

  const asio::any_io_executor executor;
  asio::steady_timer timer;
  std::atomic<bool> woken{false};  // A cancel is on its way: one is enough for many changes.
};

/// All waiting clients, and whether there may be any.
struct GatewayWatches::Hub {
  Result<void> add(const std::shared_ptr<Stream>& stream, const std::string& peer) {
    const std::lock_guard lock(mutex);
    if (stopped) return fail(Errc::unavailable, "the state is shutting down");
    auto& count = watches[peer];
    if (count >= kWatchesPerPeerMax) {
      return fail(Errc::too_many, fmt::format("{} has {} watches open, as many as a node may",
                                              peer.empty() ? "this client" : peer, count));
    }
    ++count;
    streams.insert(stream);
    return {};
  }

  void remove(const std::shared_ptr<Stream>& stream, const std::string& peer) {
    const std::lock_guard lock(mutex);
    streams.erase(stream);
    const auto count = watches.find(peer);
    if (--count->second == 0) watches.erase(count);
  }

  void stop() {
    const std::lock_guard lock(mutex);
    stopped = true;
    for (const auto& stream : streams) stream->wake();
  }

  std::atomic<bool> stopped{false};
  std::mutex mutex;  // Guards what is below.
  std::set<std::shared_ptr<Stream>> streams;
  std::map<std::string, std::size_t> watches;  // By peer.
};

class GatewayWatches::Body : public ResponseBody {
 public:
  /// `stream` was added to the hub.
  Body(GatewayWatches& watches, std::shared_ptr<Stream> stream, WatchRequest request,
       std::string peer)
      : hub_(watches.hub_),
        state_(watches.state_),
        pool_(watches.pool_),
        admit_(watches.admit_),
        stream_(std::move(stream)),
        request_(std::move(request)),
        peer_(std::move(peer)),
        position_(state_.revision()),
        follower_(state_.follow(request_.keys, request_.start > 0 ? request_.start - 1 : position_,
                                [waiting = stream_] { waiting->wake(); })) {}

  ~Body() override { hub_->remove(stream_, peer_); }

  asio::awaitable<Result<std::vector<std::string_view>>> next() override {
    line_.clear();
    if (!created_) {
      created_ = true;
      line_ = watch_created(header(), request_);
    }
    const auto deadline = std::chrono::steady_clock::now() + kProgress;
    if (refused_ && !over_) end(refusal());
    while (line_.empty() && !over_ && !hub_->stopped) {
      // Before looking: a change that comes after the look wakes the wait below.
      stream_->woken = false;
      const auto look = [this] {
        refused_ = !admit_(peer_);  // What has happened is told, and nothing after it.
        return follower_->next();
      };
      const auto batch = co_await run_on(pool_.get_executor(), look);
      if (!batch || (refused_ && batch->changes.empty())) {
        end(batch ? refusal() : batch.error());
        break;
      }
      position_ = std::max(position_, batch->revision);
      line_ = watch_events(header(), request_, *batch);
      if (!batch->changes.empty() || stream_->woken) continue;

      boost::system::error_code error;
      stream_->timer.expires_at(deadline);
      co_await stream_->timer.async_wait(asio::redirect_error(asio::use_awaitable, error));
      if (!error) line_ = watch_progress(header(), request_);
    }
    std::vector<std::string_view> pieces;
    if (!line_.empty()) pieces.push_back(line_);
    co_return pieces;
  }

 private:
  [[nodiscard]] GatewayHeader header() const { return {state_.id(), position_}; }

  [[nodiscard]] Error refusal() const {
    return {Errc::denied, fmt::format("node {} was removed from the cluster", peer_)};
  }

  void end(const Error& error) {
    over_ = true;
    if (error.code == Errc::events_compacted) {
      line_ = watch_compacted(header(), request_, state_.compacted());
    } else {
      line_ = watch_error(error);
    }
  }

  const std::shared_ptr<Hub> hub_;
  EmbeddedState& state_;
  asio::thread_pool& pool_;
  const AdmitPeer admit_;
  const std::shared_ptr<Stream> stream_;
  const WatchRequest request_;
  const std::string peer_;
  Revision position_;  // What the client knows.
  bool created_ = false;
  bool over_ = false;
  bool refused_ = false;  // Touched by one call of next() at a time.
  std::string line_;
  std::unique_ptr<StateFollower> follower_;
};

GatewayWatches::GatewayWatches(EmbeddedState& state, asio::thread_pool& pool, AdmitPeer admit)
    : state_(state), pool_(pool), admit_(std::move(admit)), hub_(std::make_shared<Hub>()) {}

Result<std::unique_ptr<ResponseBody>> GatewayWatches::open(const WatchRequest& request,
                                                           const std::string& peer,
                                                           const asio::any_io_executor& executor) {
  auto stream = std::make_shared<Stream>(executor);
  const auto added = hub_->add(stream, peer);
  if (!added) return tl::unexpected(added.error());
  return std::make_unique<Body>(*this, std::move(stream), request, peer);
}

void GatewayWatches::stop() { hub_->stop(); }

}  // namespace shoal

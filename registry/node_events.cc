#include "registry/node_events.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <mutex>
#include <vector>

#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <nlohmann/json.hpp>

#include "registry/disk.h"
#include "registry/error_response.h"
#include "registry/http/error_document.h"
#include "registry/rfc3339.h"
#include "storage/number.h"

namespace shoal {
namespace {

constexpr std::chrono::seconds kKeepAlive{15};
constexpr std::size_t kEventsAtOnce = 256;

std::string event_data(const Event& event) {
  nlohmann::ordered_json data = {
      {"sequence", event.sequence}, {"kind", to_string(event.kind)}, {"time", rfc3339(event.time)}};
  if (!event.repository.empty()) data["repository"] = event.repository;
  if (event.digest) data["digest"] = event.digest->to_string();
  if (!event.tag.empty()) data["tag"] = event.tag;
  if (!event.media_type.empty()) data["media_type"] = event.media_type;
  if (event.size > 0) data["size"] = event.size;
  if (!event.from.empty()) data["from"] = event.from;
  return data.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

void append_event(std::string& text, const Event& event) {
  text += "id: " + std::to_string(event.sequence) + "\nevent: ";
  text += to_string(event.kind);
  text += "\ndata: " + event_data(event) + "\n\n";
}

/// The first sequence number that the feed still has. Asks for it by halving: the way to a 410 is
/// rare, and the feed itself only says whether it reaches back to a point.
Result<std::uint64_t> first_kept(Events& events) {
  std::uint64_t gone = 0;  // Known not to be answerable, as a position to start after.
  std::uint64_t kept = events.last();
  while (gone + 1 < kept) {
    const std::uint64_t middle = gone + (kept - gone) / 2;
    const auto found = events.after(middle, 1);
    if (found)
      kept = middle;
    else if (found.error().code == Errc::events_compacted)
      gone = middle;
    else
      return tl::unexpected(found.error());
  }
  return kept + 1;
}

/// Where a stream may start: `since` itself, or the reason why it cannot be served.
Result<void> check_start(Events& events, std::uint64_t since) {
  const auto last = events.last();
  if (since > last) {
    return fail(Errc::events_compacted, "there is no event " + std::to_string(since) +
                                            " yet; the newest is " + std::to_string(last));
  }
  const auto probe = events.after(since, 1);
  if (!probe) return tl::unexpected(probe.error());
  return {};
}

Response gone_response(const Error& error, std::uint64_t first) {
  Response response = error_response(error);
  const std::string detail = "{\"first\":" + std::to_string(first) + '}';
  response.body = error_document({{"EVENTS_COMPACTED", error.message, detail}});
  return response;
}

}  // namespace

/// One waiting client. Its timer is touched on its executor alone.
struct EventStreams::Stream {
  explicit Stream(const asio::any_io_executor& session) : executor(session), timer(session) {}

  const asio::any_io_executor executor;
  asio::steady_timer timer;
  std::atomic<bool> woken{false};  // A cancel is on its way: one is enough for many events.
};

/// All waiting clients, and whether there may be any.
struct EventStreams::Hub {
  void wake() {
    const std::lock_guard lock(mutex);
    for (const auto& stream : streams) {
      if (stream->woken.exchange(true)) continue;
      asio::post(stream->executor, [stream] { stream->timer.cancel(); });
    }
  }

  void add(const std::shared_ptr<Stream>& stream) {
    const std::lock_guard lock(mutex);
    streams.push_back(stream);
  }

  void remove(const std::shared_ptr<Stream>& stream) {
    const std::lock_guard lock(mutex);
    streams.erase(std::find(streams.begin(), streams.end(), stream));
  }

  std::atomic<bool> stopped{false};
  std::mutex mutex;  // Guards what is below.
  std::vector<std::shared_ptr<Stream>> streams;
};

class EventStreams::Body : public ResponseBody {
 public:
  Body(std::shared_ptr<Hub> hub, Events& events, asio::thread_pool& disk,
       const asio::any_io_executor& executor, std::uint64_t since, bool follow)
      : hub_(std::move(hub)),
        events_(events),
        disk_(disk),
        stream_(std::make_shared<Stream>(executor)),
        position_(since),
        follow_(follow) {
    hub_->add(stream_);
  }

  ~Body() override { hub_->remove(stream_); }

  asio::awaitable<Result<std::vector<std::string_view>>> next() override {
    if (!greeted_) {
      // Something must go out at once, or a client waits for the header until the first event.
      greeted_ = true;
      text_ = ": events after " + std::to_string(position_) + "\n\n";
      co_return std::vector<std::string_view>{text_};
    }
    text_.clear();
    const auto deadline = std::chrono::steady_clock::now() + kKeepAlive;
    while (text_.empty() && !hub_->stopped) {
      // Before looking: an event that comes after the look wakes the wait below.
      stream_->woken = false;
      const auto read = co_await read_events();
      if (!read) co_return tl::unexpected(read.error());
      if (!text_.empty() || !follow_) break;
      if (stream_->woken) continue;

      boost::system::error_code error;
      stream_->timer.expires_at(deadline);
      co_await stream_->timer.async_wait(asio::redirect_error(asio::use_awaitable, error));
      if (!error) text_ = ": keepalive\n\n";
    }
    if (text_.empty()) co_return std::vector<std::string_view>{};
    co_return std::vector<std::string_view>{text_};
  }

 private:
  /// Appends what is new to the text.
  asio::awaitable<Result<void>> read_events() {
    if (events_.last() <= position_) co_return Result<void>{};
    const auto read = [this] { return events_.after(position_, kEventsAtOnce); };
    const auto batch = co_await on_disk(disk_, read);
    if (!batch) co_return tl::unexpected(batch.error());
    for (const Event& event : *batch) {
      append_event(text_, event);
      position_ = event.sequence;
    }
    co_return Result<void>{};
  }

  const std::shared_ptr<Hub> hub_;
  Events& events_;
  asio::thread_pool& disk_;
  const std::shared_ptr<Stream> stream_;
  std::uint64_t position_;  // The newest event that was sent.
  const bool follow_;
  bool greeted_ = false;
  std::string text_;
};

EventStreams::EventStreams(Events& events, asio::thread_pool& disk)
    : events_(events),
      disk_(disk),
      hub_(std::make_shared<Hub>()),
      subscription_(events.subscribe([hub = hub_] { hub->wake(); })) {}

EventStreams::~EventStreams() { stop(); }

asio::awaitable<Response> EventStreams::open(Request& request) {
  if (hub_->stopped) co_return error_response({Errc::unavailable, "the node is shutting down"});
  auto position = request.headers.find("Last-Event-ID");
  if (!position) position = request.parameter("since");
  const auto since = position ? parse_number(*position) : events_.last();
  if (!since) co_return error_response({Errc::page_invalid, "`since` is not a sequence number"});

  const auto check = [&] { return check_start(events_, *since); };
  const auto possible = co_await on_disk(disk_, check);
  if (!possible && possible.error().code == Errc::events_compacted) {
    const auto search = [&] { return first_kept(events_); };
    const auto first = co_await on_disk(disk_, search);
    if (!first) co_return error_response(first.error());
    co_return gone_response(possible.error(), *first);
  }
  if (!possible) co_return error_response(possible.error());

  Response response;
  response.headers.add("Content-Type", "text/event-stream");
  response.headers.add("Cache-Control", "no-store");
  const bool follow = request.parameter("follow") != "false";
  response.body = std::make_unique<Body>(hub_, events_, disk_, request.executor, *since, follow);
  co_return response;
}

void EventStreams::stop() {
  subscription_.reset();
  hub_->stopped = true;
  hub_->wake();
}

}  // namespace shoal

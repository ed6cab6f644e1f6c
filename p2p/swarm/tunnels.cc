#include "p2p/swarm/tunnels.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <map>
#include <mutex>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "p2p/swarm/have_hold.h"
#include "p2p/swarm/message_filter.h"
#include "p2p/swarm/tunnel_link.h"
#include "registry/http/duplex.h"
#include "registry/http/gate.h"
#include "registry/http/listen_address.h"
#include "registry/http/pump.h"
#include "registry/http/text_response.h"
#include "storage/run_on.h"

namespace shoal {
namespace {

using asio::ip::tcp;
using boost::system::error_code;

// 127.64.0.0/10, without its first and last address.
constexpr std::uint32_t kAliasFirst = 0x7f400001;
constexpr std::uint32_t kAliasLast = 0x7f7ffffe;
constexpr std::size_t kInfoHashAt = 28;  // In a handshake (BEP 3).
constexpr std::size_t kInfoHashBytes = 20;
constexpr std::chrono::milliseconds kAcceptPause{100};  // When descriptors or memory run out.
constexpr std::chrono::seconds kStopPatience{30};       // For what does not end as it should.

/// Whether the list `value` has `token` in it, without regard to case.
bool has_token(std::string_view value, std::string_view token) {
  while (!value.empty()) {
    const auto comma = std::min(value.find(','), value.size());
    auto part = value.substr(0, comma);
    while (part.starts_with(' ')) part.remove_prefix(1);
    while (part.ends_with(' ')) part.remove_suffix(1);
    if (equal_without_case(part, token)) return true;
    value.remove_prefix(std::min(comma + 1, value.size()));
  }
  return false;
}

bool asks_for_upgrade(const Request& request) {
  const auto connection = request.headers.find("Connection");
  const auto protocol = request.headers.find("Upgrade");
  return connection && protocol && has_token(*connection, "upgrade") &&
         has_token(*protocol, kSwarmProtocol);
}

struct Worker {
  asio::io_context context{1};  // One thread runs it.
  asio::executor_work_guard<asio::io_context::executor_type> work{context.get_executor()};
  std::thread thread{};
};

}  // namespace

struct SwarmTunnels::Impl {
  Impl(SwarmTunnelsConfig its_config, Peers& its_peers, std::shared_ptr<TlsContext> its_tls,
       asio::thread_pool& its_pool, Calls its_calls)
      : config(std::move(its_config)),
        peers(its_peers),
        tls(std::move(its_tls)),
        pool(its_pool),
        calls(std::move(its_calls)),
        session(parse_listen_address(config.session_address)) {}

  struct Listener {
    Listener(asio::io_context& context, tcp::acceptor its_acceptor, std::string its_peer)
        : acceptor(std::move(its_acceptor)), pause(context), peer(std::move(its_peer)) {}
    tcp::acceptor acceptor;
    asio::steady_timer pause;
    const std::string peer;
  };
  struct Alias {
    std::uint32_t address = 0;
    std::string listening{};  // Empty: nowhere yet.
    std::shared_ptr<Listener> listener{};
  };
  using Source = std::pair<std::uint32_t, std::uint16_t>;  // Address and port.
  class Work;
  class Admission;
  class Counted;
  class Taker;

  // Each with the mutex held.
  [[nodiscard]] Result<Alias*> alias_of(const std::string& peer);
  [[nodiscard]] Result<void> listen(const std::string& peer, Alias& alias);

  // Outgoing.
  [[nodiscard]] asio::awaitable<void> accept(std::shared_ptr<Listener> listener);
  [[nodiscard]] asio::awaitable<void> go(std::shared_ptr<TunnelLink> link, std::string peer);
  [[nodiscard]] asio::awaitable<Result<void>> carry(TunnelLink& link, const std::string& peer);
  [[nodiscard]] asio::awaitable<Result<std::string>> open(TunnelLink& link, const std::string& peer,
                                                          const Digest& digest);
  void note_failure(const std::string& peer, Error error);

  // Incoming. They may outlive the SwarmTunnels.
  [[nodiscard]] static asio::awaitable<Response> serve(std::shared_ptr<Impl> self,
                                                       Request& request);
  [[nodiscard]] static asio::awaitable<void> come(std::shared_ptr<Impl> self, std::string peer,
                                                  Digest digest, Duplex& connection,
                                                  std::string_view received);
  [[nodiscard]] asio::awaitable<Result<void>> let_in(TunnelLink& link, const std::string& peer,
                                                     const Digest& digest, Duplex& connection,
                                                     std::string_view received);

  [[nodiscard]] asio::awaitable<void> pump(Duplex& local, Duplex& remote, const std::string& peer,
                                           const Digest& digest, bool outgoing,
                                           MessageFilter& filter);
  void stop();

  const SwarmTunnelsConfig config;
  Peers& peers;
  const std::shared_ptr<TlsContext> tls;
  asio::thread_pool& pool;
  const Calls calls;
  const Result<tcp::endpoint> session;

  std::vector<std::unique_ptr<Worker>> workers;
  std::atomic<std::size_t> next_worker{0};
  std::atomic<std::size_t> outgoing{0};
  std::atomic<std::size_t> incoming{0};
  HaveHold hold;
  Gate busy;  // Everything that stop() waits for.

  std::mutex stop_mutex;
  mutable std::mutex mutex;  // Guards what follows.
  bool stopping = false;
  std::map<std::string, Alias> aliases;  // By peer.
  std::vector<std::string> peer_by_alias;
  std::set<Source> admitted;
  std::set<std::shared_ptr<TunnelLink>> links;
  std::map<Digest, std::size_t> takers;   // How many.
  std::map<std::string, Error> failures;  // By peer.
};

/// Something that stop() waits for, and ends if it has a link. Not begun when stop() was first.
class SwarmTunnels::Impl::Work {
 public:
  explicit Work(Impl& impl, std::shared_ptr<TunnelLink> link = nullptr)
      : impl_(impl), link_(std::move(link)) {
    const std::lock_guard lock(impl_.mutex);
    begun_ = !impl_.stopping;
    if (!begun_) return;
    impl_.busy.enter();
    if (link_) impl_.links.insert(link_);
  }
  ~Work() {
    if (!begun_) return;
    if (link_) {
      link_->close();
      const std::lock_guard lock(impl_.mutex);
      impl_.links.erase(link_);
    }
    impl_.busy.leave();
  }
  Work(const Work&) = delete;
  Work& operator=(const Work&) = delete;

  [[nodiscard]] bool begun() const { return begun_; }

 private:
  Impl& impl_;
  const std::shared_ptr<TunnelLink> link_;
  bool begun_ = false;
};

/// One more, as long as it lives.
class SwarmTunnels::Impl::Counted {
 public:
  explicit Counted(std::atomic<std::size_t>& count) : count_(count) { ++count_; }
  ~Counted() { --count_; }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;

 private:
  std::atomic<std::size_t>& count_;
};

/// One that takes content from here.
class SwarmTunnels::Impl::Taker {
 public:
  Taker(Impl& impl, const Digest& digest) : all_(impl.incoming), impl_(impl), digest_(digest) {
    const std::lock_guard lock(impl_.mutex);
    number_ = ++impl_.takers[digest_];
  }
  ~Taker() {
    const std::lock_guard lock(impl_.mutex);
    const auto found = impl_.takers.find(digest_);
    if (--found->second == 0) impl_.takers.erase(found);
  }
  Taker(const Taker&) = delete;
  Taker& operator=(const Taker&) = delete;

  /// There is room for it, too.
  [[nodiscard]] bool fits() const {
    if (impl_.incoming > impl_.config.incoming_max) return false;
    const bool complete = impl_.calls.complete && impl_.calls.complete(digest_);
    return !complete || number_ <= impl_.config.takers_max;
  }

 private:
  const Counted all_;
  Impl& impl_;
  const Digest digest_;
  std::size_t number_ = 0;
};

/// A connection to the session that admits() knows.
class SwarmTunnels::Impl::Admission {
 public:
  Admission(Impl& impl, Source source) : impl_(impl), source_(source) {
    const std::lock_guard lock(impl_.mutex);
    impl_.admitted.insert(source_);
  }
  ~Admission() {
    const std::lock_guard lock(impl_.mutex);
    impl_.admitted.erase(source_);
  }
  Admission(const Admission&) = delete;
  Admission& operator=(const Admission&) = delete;

 private:
  Impl& impl_;
  const Source source_;
};

Result<SwarmTunnels::Impl::Alias*> SwarmTunnels::Impl::alias_of(const std::string& peer) {
  if (const auto found = aliases.find(peer); found != aliases.end()) return &found->second;
  const auto address = kAliasFirst + peer_by_alias.size();
  if (address > kAliasLast) return fail(Errc::unavailable, "there are no addresses left for peers");
  peer_by_alias.push_back(peer);
  return &aliases.emplace(peer, Alias{static_cast<std::uint32_t>(address)}).first->second;
}

Result<void> SwarmTunnels::Impl::listen(const std::string& peer, Alias& alias) {
  auto& context = workers[peer_by_alias.size() % workers.size()]->context;
  auto acceptor = listen_on(context, tcp::endpoint(asio::ip::address_v4(alias.address), 0));
  if (!acceptor) return tl::unexpected(acceptor.error());
  error_code error;
  const auto bound = acceptor->local_endpoint(error);
  if (error) return fail(Errc::unavailable, "no address for " + peer + ": " + error.message());
  alias.listener = std::make_shared<Listener>(context, *std::move(acceptor), peer);
  alias.listening = to_string(bound);
  busy.enter();
  asio::co_spawn(context, accept(alias.listener), [this](std::exception_ptr) { busy.leave(); });
  return {};
}

asio::awaitable<void> SwarmTunnels::Impl::accept(std::shared_ptr<Listener> listener) {
  while (listener->acceptor.is_open()) {
    auto& worker = *workers[next_worker++ % workers.size()];
    const auto link =
        std::make_shared<TunnelLink>(worker.context.get_executor(), config.progress_timeout);
    error_code error;
    co_await listener->acceptor.async_accept(link->local(),
                                             asio::redirect_error(asio::use_awaitable, error));
    if (!listener->acceptor.is_open()) break;
    if (error) {
      listener->pause.expires_after(kAcceptPause);
      co_await listener->pause.async_wait(asio::redirect_error(asio::use_awaitable, error));
      continue;
    }
    asio::co_spawn(worker.context, go(link, listener->peer), asio::detached);
  }
}

asio::awaitable<void> SwarmTunnels::Impl::go(std::shared_ptr<TunnelLink> link, std::string peer) {
  const Work work(*this, link);
  if (!work.begun()) co_return;
  Result<void> carried;
  if (++outgoing > config.outgoing_max) {
    carried = fail(Errc::too_many, "too many tunnels at once");
  } else {
    try {
      carried = co_await carry(*link, peer);
    } catch (const std::exception& error) {
      carried = fail(Errc::io, error.what());
    }
  }
  --outgoing;
  if (!carried) note_failure(peer, carried.error());
}

asio::awaitable<Result<void>> SwarmTunnels::Impl::carry(TunnelLink& link, const std::string& peer) {
  const auto handshake = co_await link.read_handshake();
  if (!handshake) co_return tl::unexpected(handshake.error());
  const auto digest =
      calls.digest_of(std::span(*handshake).subspan(kInfoHashAt).first(kInfoHashBytes));
  if (!digest) co_return fail(Errc::blob_unknown, "the info hash is of no torrent here");

  const auto early = co_await open(link, peer, *digest);
  if (!early) co_return tl::unexpected(early.error());
  {
    const std::lock_guard lock(mutex);
    failures.erase(peer);
  }
  Duplex local(link.local());
  local.acknowledge_at_once();  // libtorrent 2.0.8 leaves Nagle's algorithm on.
  Duplex remote(link.remote(), link.tls());
  MessageFilter filter;
  const std::string first(filter.apply(*handshake));
  const bool sent = co_await remote.write(first);
  bool received = sent;
  if (sent && !early->empty()) received = co_await local.write(*early);
  if (received) co_await pump(local, remote, peer, *digest, true, filter);
  co_return Result<void>();
}

asio::awaitable<Result<std::string>> SwarmTunnels::Impl::open(TunnelLink& link,
                                                              const std::string& peer,
                                                              const Digest& digest) {
  const auto set = peers.now();
  const auto* const found = set->find(peer);
  if (found == nullptr) co_return fail(Errc::member_unknown, "it does not live");
  Result<std::string> opened = fail(Errc::unavailable, "it has no address");
  for (const auto& url : found->urls) {
    opened = co_await link.open(url, peer, tls, digest);
    if (opened || link.closed() || link.refused()) break;
  }
  co_return opened;
}

void SwarmTunnels::Impl::note_failure(const std::string& peer, Error error) {
  error.message = fmt::format("node {}: {}", peer, error.message);
  spdlog::debug("swarm tunnel failed peer={} error={}", peer, error.message);
  const std::lock_guard lock(mutex);
  if (!stopping) failures.insert_or_assign(peer, std::move(error));
}

asio::awaitable<void> SwarmTunnels::Impl::pump(Duplex& local, Duplex& remote,
                                               const std::string& peer, const Digest& digest,
                                               bool out, MessageFilter& filter) {
  spdlog::debug("swarm tunnel opened peer={} digest={} outgoing={}", peer, digest.to_string(), out);
  const auto edit = [&filter](std::string_view bytes) { return filter.apply(bytes); };
  const auto patience = [this](std::string_view bytes) {
    const auto received = calls.received_bytes ? calls.received_bytes() : 0;
    return hold.of(bytes, received, std::chrono::steady_clock::now());
  };
  Pump both(local, remote, config.idle_timeout, edit, patience);
  co_await both.run();
  spdlog::debug("swarm tunnel ended peer={} digest={} outgoing={} sent={} received={}", peer,
                digest.to_string(), out, both.from_a(), both.from_b());
}

asio::awaitable<Response> SwarmTunnels::Impl::serve(std::shared_ptr<Impl> self, Request& request) {
  if (request.peer.empty()) co_return text_response(403, "BitTorrent is for nodes of this cluster");
  if (request.method != Method::get) co_return text_response(400, "a tunnel is asked for with GET");
  if (!asks_for_upgrade(request)) {
    auto response = text_response(426, "this path is for BitTorrent alone");
    response.headers.add("Upgrade", kSwarmProtocol);
    co_return response;
  }
  const std::string_view path = request.path;
  if (!path.starts_with(kSwarmPath))
    co_return text_response(400, "the path is not that of a tunnel");
  const auto digest = Digest::parse(path.substr(kSwarmPath.size()));
  if (!digest) co_return text_response(400, digest.error().message);

  const Work work(*self);
  if (!work.begun()) co_return text_response(503, "the node is shutting down");
  auto taker = std::make_shared<const Taker>(*self, *digest);
  if (!taker->fits()) {
    co_return text_response(503, "too many nodes take content from here; ask another one");
  }
  const auto prepare = [&] { return self->calls.prepare(*digest); };
  const auto prepared = co_await run_on(self->pool.get_executor(), prepare);
  if (!prepared) {
    const bool unknown = prepared.error().code == Errc::blob_unknown;
    co_return text_response(unknown ? 404 : 503, prepared.error().message);
  }
  Response response;
  response.status = 101;
  response.headers.add("Upgrade", kSwarmProtocol);
  response.upgrade = [self, taker = std::move(taker), peer = request.peer, content = *digest](
                         Duplex& connection, std::string_view received) {
    return come(self, peer, content, connection, received);
  };
  co_return response;
}

asio::awaitable<void> SwarmTunnels::Impl::come(std::shared_ptr<Impl> self, std::string peer,
                                               Digest digest, Duplex& connection,
                                               std::string_view received) {
  const auto link =
      std::make_shared<TunnelLink>(connection.executor(), self->config.progress_timeout);
  const Work work(*self, link);
  if (!work.begun()) co_return;
  link->set_other(&connection);
  Result<void> let;
  try {
    let = co_await self->let_in(*link, peer, digest, connection, received);
  } catch (const std::exception& error) {
    let = fail(Errc::io, error.what());
  }
  link->close();
  link->set_other(nullptr);  // It is the server's, and may go before the link does.
  if (let) co_return;
  spdlog::debug("swarm tunnel of a peer failed peer={} digest={} error={}", peer,
                digest.to_string(), let.error().message);
}

asio::awaitable<Result<void>> SwarmTunnels::Impl::let_in(TunnelLink& link, const std::string& peer,
                                                         const Digest& digest, Duplex& connection,
                                                         std::string_view received) {
  if (!session) co_return tl::unexpected(session.error());
  Source source;
  {
    const std::lock_guard lock(mutex);
    const auto alias = alias_of(peer);
    if (!alias) co_return tl::unexpected(alias.error());
    source.first = (*alias)->address;
  }
  error_code error;
  const tcp::endpoint from(asio::ip::address_v4(source.first), 0);
  link.local().open(from.protocol(), error);
  if (!error) link.local().bind(from, error);
  if (!error) source.second = link.local().local_endpoint(error).port();
  if (error) {
    co_return fail(Errc::unavailable, fmt::format("cannot connect from {}: {}",
                                                  from.address().to_string(), error.message()));
  }
  // The session may see the connection before this knows of it.
  const Admission admission(*this, source);
  const auto connected = co_await link.connect_local(*session);
  if (!connected) co_return tl::unexpected(connected.error());

  Duplex local(link.local());
  local.acknowledge_at_once();  // libtorrent 2.0.8 leaves Nagle's algorithm on.
  bool sent = true;
  if (!received.empty()) sent = co_await local.write(received);
  MessageFilter filter;
  if (sent) co_await pump(local, connection, peer, digest, false, filter);
  co_return Result<void>();
}

void SwarmTunnels::Impl::stop() {
  const std::lock_guard once(stop_mutex);
  {
    const std::lock_guard lock(mutex);
    stopping = true;
    for (const auto& entry : aliases) {
      const auto& listener = entry.second.listener;
      if (!listener) continue;
      asio::post(listener->acceptor.get_executor(), [listener] {
        error_code ignored;
        listener->acceptor.close(ignored);
        listener->pause.cancel();
      });
    }
    // As long as a link is in the set, its executor is there.
    for (const auto& link : links) asio::post(link->executor(), [link] { link->close(); });
  }
  if (!busy.wait_empty(kStopPatience)) {
    spdlog::error("swarm tunnels did not end count={}", busy.inside());
  }
  for (const auto& worker : workers) {
    worker->work.reset();
    worker->context.stop();
    if (worker->thread.joinable()) worker->thread.join();
  }
  const std::lock_guard lock(mutex);
  aliases.clear();  // Their listeners are of the workers' contexts.
}

SwarmTunnels::SwarmTunnels(SwarmTunnelsConfig config, Peers& peers, std::shared_ptr<TlsContext> tls,
                           asio::thread_pool& pool, Calls calls)
    : impl_(std::make_shared<Impl>(std::move(config), peers, std::move(tls), pool,
                                   std::move(calls))) {
  const unsigned threads = std::max(1u, impl_->config.threads);
  for (unsigned i = 0; i < threads; ++i) impl_->workers.push_back(std::make_unique<Worker>());
  for (const auto& worker : impl_->workers) {
    worker->thread = std::thread([context = &worker->context] { context->run(); });
  }
}

SwarmTunnels::~SwarmTunnels() { stop(); }

Result<std::string> SwarmTunnels::address_of(const std::string& peer) {
  const std::lock_guard lock(impl_->mutex);
  if (impl_->stopping) return fail(Errc::unavailable, "this node is shutting down");
  const auto alias = impl_->alias_of(peer);
  if (!alias) return tl::unexpected(alias.error());
  if (!(*alias)->listener) {
    const auto listening = impl_->listen(peer, **alias);
    if (!listening) return tl::unexpected(listening.error());
  }
  return (*alias)->listening;
}

std::optional<std::string> SwarmTunnels::peer_at(const std::string& address) const {
  error_code error;
  const auto parsed = asio::ip::make_address_v4(address, error);
  if (error || parsed.to_uint() < kAliasFirst) return std::nullopt;
  const std::size_t index = parsed.to_uint() - kAliasFirst;
  const std::lock_guard lock(impl_->mutex);
  if (index >= impl_->peer_by_alias.size()) return std::nullopt;
  return impl_->peer_by_alias[index];
}

bool SwarmTunnels::admits(const std::string& address, std::uint16_t port) const {
  error_code error;
  const auto parsed = asio::ip::make_address_v4(address, error);
  if (error) return false;
  const std::lock_guard lock(impl_->mutex);
  return impl_->admitted.contains({parsed.to_uint(), port});
}

std::optional<Error> SwarmTunnels::last_failure(const std::string& peer) const {
  const std::lock_guard lock(impl_->mutex);
  const auto found = impl_->failures.find(peer);
  if (found == impl_->failures.end()) return std::nullopt;
  return found->second;
}

asio::awaitable<Response> SwarmTunnels::serve(Request& request) {
  return Impl::serve(impl_, request);
}

std::size_t SwarmTunnels::count() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->links.size();
}

void SwarmTunnels::stop() { impl_->stop(); }

}  // namespace shoal

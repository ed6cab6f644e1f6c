#include "p2p/swarm/swarm.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>

#include "p2p/swarm/seeds.h"
#include "p2p/swarm/tunnels.h"
#include "registry/http/text_response.h"
#include "storage/number.h"
#include "storage/run_on.h"

namespace shoal {
namespace {

using std::chrono::milliseconds;

constexpr unsigned kQuickThreads = 8;
constexpr unsigned kMakingThreads = 4;

milliseconds since(std::chrono::steady_clock::time_point time) {
  return std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - time);
}

}  // namespace

/// The session knows nobody, and calls what stands below it; all of that is there before the first
/// torrent is. Destroyed from the last member to the first.
struct Swarm::Impl {
  Impl(SwarmConfig swarm_config, SwarmParts swarm_parts)
      : config(std::move(swarm_config)),
        parts(std::move(swarm_parts)),
        tracker(std::chrono::ceil<std::chrono::seconds>(config.idle / 2)) {}
  ~Impl() {
    stop();
    // What other nodes asked for may still be under way, and it uses the session.
    for (auto* const pool : {&quick, &making}) {
      pool->stop();
      pool->join();
    }
    session.reset();  // Its threads call the others until then.
  }

  [[nodiscard]] Result<void> open();
  [[nodiscard]] asio::awaitable<Result<Torrent>> torrent(const Digest& digest);
  [[nodiscard]] Result<void> prepare(const Digest& digest);
  [[nodiscard]] Result<void> share(const Torrent& torrent, const TrackerAnnounce& announce,
                                   const Tracker::Client& client);
  /// Where the session itself listens.
  [[nodiscard]] Tracker::Client own() const;
  void tidy();
  void stop();

  const SwarmConfig config;
  const SwarmParts parts;

  Tracker tracker;
  std::unique_ptr<SwarmSession> session;
  std::unique_ptr<SwarmTunnels> tunnels;
  std::unique_ptr<SwarmTransfers> transfers;
  std::unique_ptr<SwarmSeeds> seeds;

  // For requests of other nodes: what they ask for must not wait behind torrents that are made.
  asio::thread_pool quick{kQuickThreads};
  asio::thread_pool making{kMakingThreads};

  std::mutex mutex;  // Guards what follows.
  std::condition_variable wake;
  bool stopping = false;
  std::thread tidier;
};

Result<void> Swarm::Impl::open() {
  auto session_config = config.session;
  const auto kind = session_config.open ? TorrentKind::v1 : TorrentKind::v2;
  if (!session_config.open) {
    session_config.admits = [this](const std::string& address, std::uint16_t port) {
      return tunnels->admits(address, port);
    };
  }
  SwarmSession::Events events;
  events.finished = [this](const Digest& digest) { transfers->finished(digest); };
  events.piece = [this](const Digest& digest, std::uint32_t) { transfers->piece_arrived(digest); };
  events.given = [this](const Digest& digest, const auto& pieces) {
    transfers->given(digest, pieces);
  };
  events.failed = [this](const Digest& digest, const Error& error) {
    transfers->failed(digest, error);
  };
  auto started = SwarmSession::start(session_config, std::move(events));
  if (!started) return tl::unexpected(started.error());
  session = *std::move(started);

  SwarmTunnelsConfig tunnels_config;
  tunnels_config.session_address = session->listen_address();
  SwarmTunnels::Calls calls;
  calls.digest_of = [this](std::span<const char> hash) { return session->digest_of(hash); };
  calls.prepare = [this](const Digest& digest) { return prepare(digest); };
  calls.complete = [this](const Digest& digest) { return transfers->find(digest) == nullptr; };
  calls.received_bytes = [this] { return session->moved().received; };
  tunnels = std::make_unique<SwarmTunnels>(tunnels_config, parts.peers, parts.tls, quick,
                                           std::move(calls));
  auto transfers_config = config.transfers;
  transfers_config.copies_rate = config.session.rates.receive_copies;
  transfers_config.receive_rate = config.session.rates.receive;
  transfers_config.kind = kind;
  transfers = std::make_unique<SwarmTransfers>(
      transfers_config,
      SwarmTransfersParts{parts.store, parts.directory, parts.clients, *session, *tunnels});
  seeds = std::make_unique<SwarmSeeds>(
      parts.store, *session, kind, config.idle,
      [this](const Digest& digest) { return transfers->find(digest) != nullptr; });
  tidier = std::thread([this] { tidy(); });
  return {};
}

asio::awaitable<Result<Torrent>> Swarm::Impl::torrent(const Digest& digest) {
  const auto look = [&]() -> Result<std::optional<Torrent>> {
    if (const auto of = transfers->find(digest)) return of->transfer->torrent();
    return seeds->made_torrent(digest);
  };
  auto made = co_await run_on(quick.get_executor(), look);
  if (!made) co_return tl::unexpected(made.error());
  if (*made) co_return **std::move(made);
  const auto make = [&] { return seeds->torrent(digest); };
  auto result = co_await run_on(making.get_executor(), make);
  co_return result;
}

/// For a tunnel, on a quick thread.
Result<void> Swarm::Impl::prepare(const Digest& digest) {
  if (!session->has(digest)) {
    const auto made = seeds->made_torrent(digest);
    if (!made) return tl::unexpected(made.error());
    if (!*made) {
      // Rare: whoever comes has the torrent already, from another node.
      asio::post(making, [this, digest] { (void)seeds->torrent(digest); });
      return fail(Errc::unavailable, "its torrent is being made; ask again");
    }
  }
  return seeds->prepare(digest);
}

Result<void> Swarm::Impl::share(const Torrent& torrent, const TrackerAnnounce& announce,
                                const Tracker::Client& client) {
  const auto hash = torrent.info_hash();
  if (announce.info_hash !=
      std::string_view(reinterpret_cast<const char*>(hash.data()), hash.size())) {
    return fail(Errc::bad_request,
                "the torrent of " + torrent.digest.to_string() + " is another one");
  }
  if (client == own() || announce.stopped) return {};
  if (!transfers->find(torrent.digest)) {
    const auto shared = seeds->prepare(torrent.digest);
    if (!shared) return shared;
  }
  // Some clients never connect to addresses of the loopback themselves.
  session->connect(torrent.digest, client.address + ':' + std::to_string(client.port));
  return {};
}

Tracker::Client Swarm::Impl::own() const {
  const auto address = session->listen_address();
  const auto colon = address.rfind(':');
  const auto port = parse_number(std::string_view(address).substr(colon + 1)).value_or(0);
  return {address.substr(0, colon), static_cast<std::uint16_t>(port)};
}

void Swarm::Impl::tidy() {
  std::unique_lock lock(mutex);
  while (!stopping) {
    wake.wait_for(lock, config.idle / 4, [this] { return stopping; });
    if (stopping) return;
    lock.unlock();
    seeds->drop_idle();
    lock.lock();
  }
}

void Swarm::Impl::stop() {
  {
    const std::lock_guard lock(mutex);
    stopping = true;
    wake.notify_all();
  }
  if (tidier.joinable()) tidier.join();
  if (transfers) transfers->stop();
  if (seeds) seeds->stop();
  if (tunnels) tunnels->stop();
}

Swarm::Swarm(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Swarm::~Swarm() { stop(); }
void Swarm::stop() { impl_->stop(); }
void Swarm::interrupt() { impl_->transfers->interrupt(); }

Result<std::unique_ptr<Swarm>> Swarm::start(SwarmConfig config, SwarmParts parts) {
  auto impl = std::make_unique<Impl>(std::move(config), std::move(parts));
  const auto opened = impl->open();
  if (!opened) return tl::unexpected(opened.error());
  return std::unique_ptr<Swarm>(new Swarm(std::move(impl)));
}

Result<std::shared_ptr<SwarmTransfer>> Swarm::join(const Repository& repository,
                                                   const Digest& digest, SwarmClass of_class) {
  return impl_->transfers->join(repository, digest, of_class);
}

Result<std::shared_ptr<SwarmTransfer>> Swarm::join(const Repository& repository,
                                                   const TorrentFile& file) {
  return impl_->transfers->join(repository, file);
}

asio::awaitable<Result<Torrent>> Swarm::torrent(const Digest& digest) {
  return impl_->torrent(digest);
}

asio::awaitable<Result<std::string>> Swarm::announce(const Digest& digest,
                                                     const TrackerAnnounce& announce,
                                                     const Tracker::Client& client) {
  const auto torrent = co_await impl_->torrent(digest);
  if (!torrent) {
    if (torrent.error().code != Errc::blob_unknown) co_return tl::unexpected(torrent.error());
    co_return impl_->tracker.announce(announce, client, std::nullopt);
  }
  const auto share = [&] { return impl_->share(*torrent, announce, client); };
  const auto shared = co_await run_on(impl_->quick.get_executor(), share);
  if (!shared) co_return tl::unexpected(shared.error());
  co_return impl_->tracker.announce(announce, client, impl_->own());
}

void Swarm::begin(const Repository& repository, const std::vector<Digest>& digests,
                  SwarmClass of_class) {
  impl_->transfers->begin(repository, digests, of_class);
}

std::shared_ptr<SwarmTransfer> Swarm::find(const Digest& digest) const {
  const auto of = impl_->transfers->find(digest);
  return of ? of->transfer : nullptr;
}

bool Swarm::serves(std::string_view path) {
  return path.starts_with(kTorrentsPath) || path.starts_with(kSwarmPath);
}

asio::awaitable<Response> Swarm::serve(Request& request) {
  const std::string_view path = request.path;
  if (path.starts_with(kSwarmPath)) co_return co_await impl_->tunnels->serve(request);
  if (request.method != Method::get) {
    auto response = text_response(405, "torrents are asked for with GET");
    response.headers.add("Allow", "GET");
    co_return response;
  }
  const auto digest = Digest::parse(path.substr(kTorrentsPath.size()));
  if (!digest) co_return text_response(400, digest.error().message);
  const auto torrent = co_await impl_->torrent(*digest);
  Response response;
  if (torrent) {
    response.headers.add("Content-Type", "application/octet-stream");
    response.body = torrent->encode();
    co_return response;
  }
  const auto& error = torrent.error();
  if (error.code == Errc::unsupported) {
    response.status = 204;
    co_return response;
  }
  co_return text_response(error.code == Errc::blob_unknown ? 404 : 503, error.message);
}

std::vector<Swarm::View> Swarm::view() const {
  std::vector<View> views;
  for (const auto& digest : impl_->session->list()) {
    const auto counts = impl_->session->counts(digest);
    if (!counts) continue;
    View view{digest};
    view.send_rate = counts->send_rate;
    view.redundant_bytes = counts->redundant_bytes;
    view.wrong_bytes = counts->wrong_bytes;
    for (const auto& peer : counts->peers) {
      view.peers.push_back({impl_->tunnels->peer_at(peer.address).value_or(peer.address),
                            peer.received_bytes, peer.sent_bytes, peer.receive_rate, peer.send_rate,
                            peer.pieces, peer.connected});
    }
    if (const auto of = impl_->transfers->find(digest)) {
      const auto& transfer = *of->transfer;
      const auto pieces = transfer.arrival()->pieces();
      view.arriving = true;
      view.receive_rate = of->rate;
      view.repository = transfer.repository().text();
      view.of_class = transfer.of_class();
      view.bytes = transfer.torrent().size;
      view.arrived_bytes = transfer.arrival()->arrived_bytes();
      view.pieces = static_cast<std::uint32_t>(pieces.size());
      view.arrived_pieces =
          static_cast<std::uint32_t>(std::count(pieces.begin(), pieces.end(), true));
      view.age = since(transfer.started());
      view.still = since(of->moved);
      if (of->https_bytes > 0) {
        PeerView https;
        https.node = "https";
        https.received_bytes = of->https_bytes;
        view.peers.push_back(std::move(https));
      }
    }
    if (!view.arriving) {
      view.bytes = view.arrived_bytes = counts->size;
      view.pieces = view.arrived_pieces = counts->pieces;
    }
    views.push_back(std::move(view));
  }
  return views;
}

std::vector<SwarmEnded> Swarm::ended() const { return impl_->transfers->ended(); }

Swarm::Totals Swarm::totals() const {
  Totals totals;
  totals.transfers = impl_->transfers->counts();
  totals.torrents = impl_->session->list().size();
  totals.tunnels = impl_->tunnels->count();
  const auto bytes = impl_->session->moved();
  totals.received_bytes = bytes.received;
  totals.sent_bytes = bytes.sent;
  auto& store = impl_->session->store();
  totals.waiting_bytes = store.waiting_bytes();
  totals.lent_bytes = store.buffers().lent_bytes();
  return totals;
}

std::uint64_t Swarm::moved() const {
  return impl_->session->moved().received + impl_->transfers->counts().https_bytes;
}

}  // namespace shoal

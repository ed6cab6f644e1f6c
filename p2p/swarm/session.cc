#include "p2p/swarm/session.h"

#include <algorithm>
#include <condition_variable>
#include <limits>
#include <map>
#include <mutex>
#include <random>
#include <thread>
#include <unordered_map>
#include <utility>

#include <spdlog/spdlog.h>
#include <libtorrent/add_torrent_params.hpp>
#include <libtorrent/alert_types.hpp>
#include <libtorrent/ip_filter.hpp>
#include <libtorrent/peer_info.hpp>
#include <libtorrent/session.hpp>
#include <libtorrent/session_params.hpp>
#include <libtorrent/torrent_flags.hpp>
#include <libtorrent/torrent_handle.hpp>
#include <libtorrent/torrent_info.hpp>
#include <libtorrent/torrent_status.hpp>

#include "p2p/swarm/blob_disk.h"
#include "p2p/swarm/peer_plugin.h"
#include "p2p/swarm/settings.h"

namespace shoal {
namespace {

constexpr std::chrono::seconds kTick{1};
constexpr int kAnnounceSeconds = 5;  // At most so often, whatever a tracker says.

lt::sha1_hash short_hash(const Torrent& torrent) {
  const auto hash = torrent.info_hash();
  return lt::sha1_hash(reinterpret_cast<const char*>(hash.data()));
}

int limit_of(std::uint64_t rate) {
  return static_cast<int>(std::min<std::uint64_t>(rate, std::numeric_limits<int>::max()));
}

lt::piece_index_t piece_index(std::uint32_t piece) {
  return lt::piece_index_t(static_cast<int>(piece));
}

/// What libtorrent throws of a torrent that another thread has just removed is no more than that.
template <class Use>
bool use(const lt::torrent_handle& handle, Use with) {
  try {
    if (!handle.is_valid()) return false;
    with();
    return true;
  } catch (const boost::system::system_error&) {
    return false;
  }
}

std::uint64_t count(std::int64_t number) {
  return number < 0 ? 0 : static_cast<std::uint64_t>(number);
}

lt::ip_filter beyond_loopback() {
  lt::ip_filter filter;
  filter.add_rule(lt::make_address("0.0.0.0"), lt::make_address("255.255.255.255"),
                  lt::ip_filter::blocked);
  filter.add_rule(lt::make_address("127.0.0.0"), lt::make_address("127.255.255.255"), 0);
  filter.add_rule(lt::make_address("::"),
                  lt::make_address("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
                  lt::ip_filter::blocked);
  filter.add_rule(lt::make_address("::1"), lt::make_address("::1"), 0);
  return filter;
}

std::optional<lt::tcp::endpoint> parse_endpoint(const std::string& text) {
  const auto colon = text.rfind(':');
  if (colon == text.npos) return std::nullopt;
  boost::system::error_code error;
  const auto address = lt::make_address(text.substr(0, colon), error);
  const int port = std::atoi(text.c_str() + colon + 1);
  if (error || port <= 0 || port > 0xFFFF) return std::nullopt;
  return lt::tcp::endpoint(address, static_cast<std::uint16_t>(port));
}

}  // namespace

struct SwarmSession::Impl {
  Impl(SwarmSessionConfig session_config, Events session_events)
      : config(std::move(session_config)),
        events(std::move(session_events)),
        store(config.store,
              [this](const Digest& digest, const Error& error) { events.failed(digest, error); }) {}

  ~Impl() {
    {
      const std::lock_guard lock(mutex);
      stopping = true;
    }
    wake.notify_all();
    if (listener.joinable()) listener.join();
    if (!session) return;
    session->set_alert_notify({});
    session.reset();  // Waits for libtorrent's thread, and that for the disk's.
    for (auto& [digest, active] : torrents) {
      active.blob->stop();
      if (active.blob->arrival()) store.drain(active.blob->arrival());
    }
  }

  Result<void> start() {
    auto settings = swarm_settings(config.address + ':' + std::to_string(config.port));
    settings.set_int(lt::settings_pack::upload_rate_limit, limit_of(config.rates.send));
    settings.set_int(lt::settings_pack::download_rate_limit, limit_of(config.rates.receive));
    settings.set_bool(lt::settings_pack::allow_multiple_connections_per_ip, config.open);
    // Some clients never connect to the loopback themselves.
    settings.set_bool(lt::settings_pack::seeding_outgoing_connections, config.open);
    // Clients know each other by address alone: it is the one that trackers tell.
    if (config.open) settings.set_str(lt::settings_pack::outgoing_interfaces, config.address);
    settings.set_int(lt::settings_pack::min_announce_interval, kAnnounceSeconds);
    // A tracker of the loopback, which is not at the path that others have.
    settings.set_bool(lt::settings_pack::ssrf_mitigation, !config.open);
    lt::session_params params(std::move(settings), {});
    params.disk_io_constructor = [this](lt::io_context& context, const lt::settings_interface&,
                                        lt::counters&) {
      return make_blob_disk(context, store,
                            [this](const lt::sha1_hash& hash) { return find(hash); });
    };
    session = std::make_unique<lt::session>(std::move(params));
    // All peers have addresses of the loopback, which libtorrent would not limit.
    lt::ip_filter everybody;
    everybody.add_rule(lt::make_address("0.0.0.0"), lt::make_address("255.255.255.255"),
                       1u << static_cast<std::uint32_t>(lt::session::global_peer_class_id));
    session->set_peer_class_filter(everybody);
    if (config.open) session->set_ip_filter(beyond_loopback());
    if (session->listen_port() == 0) {
      return fail(Errc::unavailable, "no port of " + config.address + " can be listened on");
    }
    session->set_alert_notify([this] {
      {
        const std::lock_guard lock(mutex);
        heard = true;
      }
      wake.notify_all();
    });
    listener = std::thread([this] { listen(); });
    return {};
  }

  struct Active {
    std::shared_ptr<SwarmBlob> blob;
    lt::torrent_handle handle;
    std::shared_ptr<SwarmLedger> ledger;
    std::shared_ptr<GivenPieces> given;
  };

  std::shared_ptr<SwarmBlob> find(const lt::sha1_hash& hash) const {
    const std::lock_guard lock(mutex);
    const auto found = by_hash.find(hash);
    return found == by_hash.end() ? nullptr : found->second;
  }

  Result<void> add(const std::shared_ptr<SwarmBlob>& blob, const SwarmSources& sources = {}) {
    const auto& torrent = blob->torrent();
    const auto hash = short_hash(torrent);
    lt::add_torrent_params params;
    boost::system::error_code error;
    const auto file = torrent.file();
    params.ti =
        std::make_shared<lt::torrent_info>(lt::span<const char>(file), error, lt::from_span);
    if (error) {
      return fail(Errc::bad_request,
                  "the torrent of " + torrent.digest.to_string() + ": " + error.message());
    }
    params.save_path = "/";  // There are no files.
    params.flags = lt::torrent_flags::disable_dht | lt::torrent_flags::disable_lsd |
                   lt::torrent_flags::disable_pex;
    // libtorrent connects once a second, and at once only when a torrent is resumed.
    if (!sources.peers.empty()) params.flags |= lt::torrent_flags::paused;
    params.trackers = sources.trackers;
    for (const auto& peer : sources.peers) {
      if (const auto endpoint = parse_endpoint(peer)) params.peers.push_back(*endpoint);
    }
    const auto pieces = blob->pieces();
    SharedTorrent shared;
    shared.pieces = torrent.piece_count();
    shared.piece_blocks =
        static_cast<std::uint32_t>(std::max<std::uint64_t>(1, torrent.piece_bytes / kBlockBytes));
    shared.complete = !blob->arrival();
    shared.salt = salt;
    shared.ledger = std::make_shared<SwarmLedger>(moved);
    shared.given = std::make_shared<GivenPieces>();
    shared.on_given = [this, digest = torrent.digest](const auto& given) {
      if (events.given) events.given(digest, given);
    };
    params.extensions.emplace_back(
        [this, shared](const lt::torrent_handle&,
                       lt::client_data_t) -> std::shared_ptr<lt::torrent_plugin> {
          return make_peer_plugin(config.admits, shared);
        });
    // Until it is known who else is there, and who brings what.
    params.piece_priorities.assign(pieces.size(), lt::download_priority_t(PiecePlan::kStart));
    params.have_pieces.resize(static_cast<int>(pieces.size()), false);
    for (std::size_t i = 0; i < pieces.size(); ++i) {
      if (pieces[i]) params.have_pieces.set_bit(lt::piece_index_t{static_cast<int>(i)});
    }
    {
      const std::lock_guard lock(mutex);
      if (torrents.contains(torrent.digest) || !by_hash.emplace(hash, blob).second) {
        return fail(Errc::conflict, torrent.digest.to_string() + " is shared already");
      }
    }
    const auto handle = session->add_torrent(std::move(params), error);
    const std::lock_guard lock(mutex);
    if (error) {
      by_hash.erase(hash);
      return fail(Errc::io, "sharing " + torrent.digest.to_string() + ": " + error.message());
    }
    torrents[torrent.digest] = Active{blob, handle, shared.ledger, shared.given};
    return {};
  }

  void remove(const Digest& digest) {
    Active active;
    {
      const std::lock_guard lock(mutex);
      const auto found = torrents.find(digest);
      if (found == torrents.end()) return;
      active = std::move(found->second);
      torrents.erase(found);
      by_hash.erase(short_hash(active.blob->torrent()));
    }
    session->remove_torrent(active.handle);
    active.blob->stop();
    if (active.blob->arrival()) store.drain(active.blob->arrival());
  }

  lt::torrent_handle handle(const Digest& digest) const {
    const std::lock_guard lock(mutex);
    const auto found = torrents.find(digest);
    return found == torrents.end() ? lt::torrent_handle() : found->second.handle;
  }

  void listen() {
    std::unique_lock lock(mutex);
    auto due = std::chrono::steady_clock::now() + kTick;
    for (;;) {
      wake.wait_until(lock, due, [this] { return stopping || heard; });
      if (stopping) return;
      const bool has_alerts = std::exchange(heard, false);
      lock.unlock();
      if (has_alerts) hear();
      if (std::chrono::steady_clock::now() >= due) {
        store.tick();
        due = std::chrono::steady_clock::now() + kTick;
      }
      lock.lock();
    }
  }

  void hear() {
    std::vector<lt::alert*> alerts;
    session->pop_alerts(&alerts);
    for (auto* const alert : alerts) {
      if (const auto* finished = lt::alert_cast<lt::torrent_finished_alert>(alert)) {
        const auto digest = digest_of(finished->handle);
        if (digest) events.finished(*digest);
      } else if (const auto* checked = lt::alert_cast<lt::torrent_checked_alert>(alert)) {
        use(checked->handle, [&] { checked->handle.resume(); });
      } else if (const auto* failed = lt::alert_cast<lt::torrent_error_alert>(alert)) {
        report(failed->handle, failed->error);
      } else if (const auto* disk = lt::alert_cast<lt::file_error_alert>(alert)) {
        report(disk->handle, disk->error);
      }
    }
  }

  void report(const lt::torrent_handle& torrent, const boost::system::error_code& error) {
    const auto digest = digest_of(torrent);
    if (digest) events.failed(*digest, {Errc::io, "the swarm: " + error.message()});
  }

  std::optional<Digest> digest_of(const lt::torrent_handle& handle) const {
    const auto blob = find(handle.info_hashes().get_best());
    // Seeds are finished from the start.
    if (!blob || !blob->arrival()) return std::nullopt;
    return blob->torrent().digest;
  }

  const SwarmSessionConfig config;
  const Events events;
  SwarmStore store;
  const std::shared_ptr<SwarmTally> moved = std::make_shared<SwarmTally>();
  const std::uint32_t salt = std::random_device{}();

  mutable std::mutex mutex;  // Guards what follows, but the session.
  std::condition_variable wake;
  bool heard = false;
  bool stopping = false;
  std::map<Digest, Active> torrents;
  std::unordered_map<lt::sha1_hash, std::shared_ptr<SwarmBlob>> by_hash;
  std::unique_ptr<lt::session> session;
  std::thread listener;
};

SwarmSession::SwarmSession(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
SwarmSession::~SwarmSession() = default;

Result<std::unique_ptr<SwarmSession>> SwarmSession::start(SwarmSessionConfig config,
                                                          Events events) {
  auto impl = std::make_unique<Impl>(std::move(config), std::move(events));
  const auto started = impl->start();
  if (!started) return tl::unexpected(started.error());
  return std::unique_ptr<SwarmSession>(new SwarmSession(std::move(impl)));
}

std::string SwarmSession::listen_address() const {
  return impl_->config.address + ':' + std::to_string(impl_->session->listen_port());
}

Result<void> SwarmSession::seed(Torrent torrent, std::shared_ptr<BlobReader> reader) {
  return impl_->add(
      std::make_shared<SwarmBlob>(std::move(torrent), std::move(reader), impl_->store.buffers()));
}

Result<void> SwarmSession::fetch(Torrent torrent, std::shared_ptr<Arrival> arrival,
                                 const SwarmSources& sources) {
  const auto on_piece = [impl = impl_.get(), arrival](std::uint32_t piece) {
    const auto& info = arrival->info();
    impl->store.piece_arrived(arrival, info.bytes_of(piece));
    impl->events.piece(info.digest, piece);
  };
  return impl_->add(
      std::make_shared<SwarmBlob>(std::move(torrent), arrival, impl_->store.buffers(), on_piece),
      sources);
}

bool SwarmSession::has(const Digest& digest) const { return impl_->handle(digest).is_valid(); }

std::vector<Digest> SwarmSession::list() const {
  const std::lock_guard lock(impl_->mutex);
  std::vector<Digest> digests;
  for (const auto& [digest, active] : impl_->torrents) digests.push_back(digest);
  return digests;
}

std::optional<Digest> SwarmSession::digest_of(std::span<const char> info_hash) const {
  if (std::ssize(info_hash) != lt::sha1_hash::size()) return std::nullopt;
  const auto blob = impl_->find(lt::sha1_hash(info_hash.data()));
  if (!blob) return std::nullopt;
  return blob->torrent().digest;
}

void SwarmSession::remove(const Digest& digest) { impl_->remove(digest); }

void SwarmSession::add_piece(const Digest& digest, std::uint32_t piece, std::vector<char> bytes) {
  const auto handle = impl_->handle(digest);
  use(handle, [&] {
    // libtorrent fills the last piece of a torrent of version 2 up to a whole block.
    const auto info = handle.torrent_file();
    if (info) bytes.resize(static_cast<std::size_t>(info->piece_size(piece_index(piece))), '\0');
    handle.add_piece(piece_index(piece), std::move(bytes));
  });
}

SwarmSpread SwarmSession::spread(const Digest& digest) const {
  SwarmSpread spread;
  lt::torrent_handle handle;
  {
    const std::lock_guard lock(impl_->mutex);
    const auto found = impl_->torrents.find(digest);
    if (found == impl_->torrents.end()) return spread;
    handle = found->second.handle;
    spread.given = found->second.given->all();
  }
  use(handle, [&] {
    handle.piece_availability(spread.availability);
    std::vector<lt::peer_info> peers;
    handle.get_peer_info(peers);
    const auto pieces = static_cast<int>(spread.availability.size());
    for (const auto& peer : peers) {
      const bool connecting =
          static_cast<bool>(peer.flags & (lt::peer_info::connecting | lt::peer_info::handshake));
      if (connecting) continue;
      if (peer.num_pieces == pieces) {
        ++spread.seeds;
      } else {
        ++spread.incomplete;
      }
    }
  });
  return spread;
}

void SwarmSession::rank(const Digest& digest,
                        const std::vector<std::pair<std::uint32_t, std::uint8_t>>& priorities) {
  const auto handle = impl_->handle(digest);
  std::vector<std::pair<lt::piece_index_t, lt::download_priority_t>> ranked;
  for (const auto& [piece, priority] : priorities) {
    ranked.emplace_back(piece_index(piece), lt::download_priority_t(priority));
  }
  use(handle, [&] { handle.prioritize_pieces(ranked); });
}

bool SwarmSession::limit(const Digest& digest, std::uint64_t receive_rate) {
  const auto handle = impl_->handle(digest);
  return use(handle, [&] { handle.set_download_limit(limit_of(receive_rate)); });
}

void SwarmSession::connect(const Digest& digest, const std::string& address) {
  const auto handle = impl_->handle(digest);
  const auto endpoint = parse_endpoint(address);
  if (endpoint) use(handle, [&] { handle.connect_peer(*endpoint); });
}

std::optional<SwarmSession::Counts> SwarmSession::counts(const Digest& digest) const {
  Counts counts;
  std::shared_ptr<SwarmLedger> ledger;
  lt::torrent_handle handle;
  {
    const std::lock_guard lock(impl_->mutex);
    const auto found = impl_->torrents.find(digest);
    if (found == impl_->torrents.end()) return std::nullopt;
    ledger = found->second.ledger;
    handle = found->second.handle;
    const auto& torrent = found->second.blob->torrent();
    counts.size = torrent.size;
    counts.pieces = torrent.piece_count();
  }
  lt::torrent_status status;
  std::vector<lt::peer_info> connected;
  const bool there = use(handle, [&] {
    status = handle.status({});
    handle.get_peer_info(connected);
  });
  if (!there) return std::nullopt;
  counts.redundant_bytes = count(status.total_redundant_bytes);
  counts.wrong_bytes = count(status.total_failed_bytes);
  counts.receive_rate = count(status.download_payload_rate);
  counts.send_rate = count(status.upload_payload_rate);
  std::map<std::string, PeerCounts> peers;
  for (const auto& [address, tally] : ledger->peers()) {
    auto& of = peers[address];
    of.received_bytes = tally->received;
    of.sent_bytes = tally->sent;
    of.wrong_pieces = tally->wrong_pieces;
    counts.received_bytes += of.received_bytes;
    counts.sent_bytes += of.sent_bytes;
  }
  for (const auto& peer : connected) {
    auto& of = peers[peer.ip.address().to_string()];
    of.receive_rate += count(peer.payload_down_speed);
    of.send_rate += count(peer.payload_up_speed);
    of.pieces = std::max(of.pieces, static_cast<std::uint32_t>(peer.num_pieces));
    of.connected = true;
  }
  for (auto& [address, of] : peers) {
    of.address = address;
    counts.peers.push_back(std::move(of));
  }
  return counts;
}

std::uint64_t SwarmSession::received_bytes(const Digest& digest) const {
  std::shared_ptr<SwarmLedger> ledger;
  {
    const std::lock_guard lock(impl_->mutex);
    const auto found = impl_->torrents.find(digest);
    if (found == impl_->torrents.end()) return 0;
    ledger = found->second.ledger;
  }
  std::uint64_t bytes = 0;
  for (const auto& [address, tally] : ledger->peers()) bytes += tally->received;
  return bytes;
}

SwarmSession::Moved SwarmSession::moved() const {
  return {impl_->moved->received, impl_->moved->sent};
}

SwarmStore& SwarmSession::store() { return impl_->store; }

}  // namespace shoal

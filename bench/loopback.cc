// shoal_bench_loopback: one end of a transfer. By BitTorrent, on shoal's store or on one of the
// disks that libtorrent brings itself, all with the same settings; from node to node, by the swarm
// or over HTTPS; or by a bare TCP connection. Speaks with bench/loopback.py over its standard
// streams: a line of JSON when it is ready, and one with what it found at the end.

#include <sys/resource.h>
#include <unistd.h>

#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <mutex>
#include <string>

#include <spdlog/spdlog.h>
#include <CLI/CLI.hpp>
#include <libtorrent/add_torrent_params.hpp>
#include <libtorrent/alert_types.hpp>
#include <libtorrent/disabled_disk_io.hpp>
#include <libtorrent/mmap_disk_io.hpp>
#include <libtorrent/posix_disk_io.hpp>
#include <libtorrent/session.hpp>
#include <libtorrent/session_params.hpp>
#include <libtorrent/torrent_flags.hpp>
#include <libtorrent/torrent_info.hpp>

#include "bench/clock.h"
#include "bench/content.h"
#include "bench/fatal.h"
#include "bench/node_ends.h"
#include "bench/tcp_ends.h"
#include "p2p/swarm/session.h"
#include "p2p/swarm/settings.h"
#include "storage/store.h"

namespace shoal::bench {
namespace {

constexpr std::uint64_t kStep = 1 << 20;

struct Options {
  std::string way = "store";
  std::filesystem::path folder;
  std::filesystem::path torrent;  // Written by the seed, read by the peer.
  std::string peer;               // Where the seed listens.
  std::uint64_t size = 1 << 30;
};

/// Beside the torrent, where both ends find it.
std::filesystem::path trust_of(const Options& options) {
  return options.torrent.parent_path() / "trust";
}

Repository repository() { return *Repository::parse("bench/swarm"); }

/// Calls `take` with the content, piece by piece.
template <class Take>
void make_content(std::uint64_t size, const Take& take) {
  std::string buffer(kStep, '\0');
  for (std::uint64_t at = 0; at < size; at += kStep) {
    const auto part = std::span(buffer).first(std::min(kStep, size - at));
    fill_random(part, 1, at / kStep);
    take(std::string_view(part.data(), part.size()));
  }
}

Torrent make_torrent(std::uint64_t size) {
  Hasher hasher(Algorithm::sha256);
  make_content(size, [&](std::string_view bytes) { hasher.update(bytes); });
  const Digest digest = hasher.digest();
  TorrentMaker maker(digest, size);
  make_content(size, [&](std::string_view bytes) { maker.update(bytes); });
  return maker.finish();
}

void write_torrent(const std::filesystem::path& file, const Torrent& torrent) {
  std::ofstream(file) << torrent.digest.to_string() << '\n' << torrent.encode();
}

Torrent read_torrent(const std::filesystem::path& file) {
  std::ifstream stream(file);
  std::string digest;
  std::getline(stream, digest);
  const std::string text((std::istreambuf_iterator<char>(stream)), {});
  const auto torrent = Torrent::parse(*Digest::parse(digest), text);
  expect(torrent.has_value(), "{} holds no torrent", file.string());
  return *torrent;
}

std::unique_ptr<Store> open_store(const std::filesystem::path& folder) {
  StoreConfig config;
  config.directory = folder;
  config.scrub_bytes_per_second = 0;
  auto store = Store::open(config);
  expect(store.has_value(), "{}", store ? "" : store.error().message);
  return *std::move(store);
}

/// Something that happens once.
class Moment {
 public:
  void come() {
    const std::lock_guard lock(mutex_);
    came_ = true;
    wake_.notify_all();
  }
  void wait() {
    std::unique_lock lock(mutex_);
    expect(wake_.wait_for(lock, std::chrono::minutes(5), [this] { return came_; }),
           "nothing came for five minutes");
  }

 private:
  std::mutex mutex_;
  std::condition_variable wake_;
  bool came_ = false;
};

double anonymous_mb() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    double kilobytes = 0;
    if (word == "RssAnon:" && status >> kilobytes) return kilobytes * 1024e-6;
  }
  return 0;
}

struct Usage {
  Stopwatch wall;
  Stopwatch cpu{CLOCK_PROCESS_CPUTIME_ID};
};

void say_ready(const std::string& address) {
  std::cout << fmt::format(R"({{"address":"{}"}})", address) << std::endl;
}

void say_done(const Usage& usage) {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  std::cout
      << fmt::format(
             R"({{"seconds":{:.6f},"cpu_seconds":{:.6f},"peak_mb":{:.3f},"anonymous_mb":{:.3f}}})",
             usage.wall.seconds(), usage.cpu.seconds(),
             static_cast<double>(used.ru_maxrss) * 1024e-6, anonymous_mb())
      << std::endl;
}

void wait_for_end() {
  for (std::string line; std::getline(std::cin, line);) {
  }
}

/// A store with the content, and its torrent where the other end finds it.
std::unique_ptr<Store> fill_store(const Options& options, const Torrent& torrent) {
  auto store = open_store(options.folder);
  if (!store->blobs().stat_any(torrent.digest, Wait::yes)) {
    const auto session = store->uploads().create(repository(), Algorithm::sha256);
    const auto upload = store->uploads().claim(repository(), session->id);
    make_content(options.size, [&](std::string_view bytes) {
      expect((*upload)->append(bytes).has_value(), "the content is not stored");
    });
    expect((*upload)->commit(torrent.digest).has_value(), "the content is not stored");
  }
  write_torrent(options.torrent, torrent);
  return store;
}

void seed_store(const Options& options) {
  const auto torrent = make_torrent(options.size);
  const auto store = fill_store(options, torrent);
  const auto session = SwarmSession::start({}, {});
  expect(session.has_value(), "no session");
  const auto reader = store->blobs().open_any(torrent.digest, Wait::yes);
  expect((*session)->seed(torrent, *reader).has_value(), "no torrent");
  say_ready((*session)->listen_address());
  const Usage usage;
  wait_for_end();
  say_done(usage);
}

void fetch_store(const Options& options) {
  const auto store = open_store(options.folder);
  const auto torrent = read_torrent(options.torrent);
  Moment finished;
  SwarmSession::Events events;
  events.finished = [&](const Digest&) { finished.come(); };
  events.piece = [](const Digest&, std::uint32_t) {};
  events.failed = [](const Digest&, const Error& error) { fatal(error.message); };
  const auto session = SwarmSession::start({}, events);
  expect(session.has_value(), "no session");
  const Usage usage;
  const auto arrival =
      store->arrivals().open({torrent.digest, torrent.size, torrent.piece_bytes, torrent.encode()});
  expect(arrival.has_value(), "no arrival");
  expect((*session)->fetch(torrent, *arrival).has_value(), "no torrent");
  (*session)->connect(torrent.digest, options.peer);
  finished.wait();
  const auto committed = (*arrival)->commit(repository());
  expect(committed.has_value(), "{}", committed ? "" : committed.error().message);
  say_done(usage);
}

NodeWay node_way(const Options& options) {
  return options.way == "swarm" ? NodeWay::swarm : NodeWay::https;
}

void seed_node(const Options& options) {
  const auto torrent = make_torrent(options.size);
  const auto store = fill_store(options, torrent);
  // As a node does it after a push.
  const auto attached = store->blobs().attach(torrent.digest, torrent.encode());
  expect(attached.has_value(), "the torrent is not kept");
  const NodeSeed seed(*store, trust_of(options), node_way(options));
  say_ready(seed.address());
  const Usage usage;
  wait_for_end();
  say_done(usage);
}

void fetch_node(const Options& options) {
  const auto store = open_store(options.folder);
  const auto torrent = read_torrent(options.torrent);
  NodePeer peer(*store, trust_of(options), options.peer, node_way(options));
  const Usage usage;
  peer.fetch(repository(), torrent.digest);
  say_done(usage);
}

/// libtorrent with a disk of its own.
class Plain {
 public:
  Plain(const Options& options, const Torrent& torrent) : torrent_(torrent) {
    lt::session_params params(swarm_settings("127.0.0.1:0"), {});
    // What is not kept cannot be checked.
    params.settings.set_bool(lt::settings_pack::disable_hash_checks, options.way == "none");
    if (options.way == "mmap") params.disk_io_constructor = lt::mmap_disk_io_constructor;
    if (options.way == "posix") params.disk_io_constructor = lt::posix_disk_io_constructor;
    if (options.way == "none") params.disk_io_constructor = lt::disabled_disk_io_constructor;
    session_ = std::make_unique<lt::session>(std::move(params));
  }

  void add(const std::filesystem::path& folder, bool seeds, const std::string& peer) {
    const auto file = torrent_.file();
    lt::add_torrent_params params;
    params.ti = std::make_shared<lt::torrent_info>(lt::span<const char>(file), lt::from_span);
    params.save_path = folder.string();
    params.flags = {};
    if (seeds) params.have_pieces.resize(static_cast<int>(torrent_.piece_count()), true);
    const auto handle = session_->add_torrent(std::move(params));
    if (peer.empty()) return;
    const auto colon = peer.rfind(':');
    handle.connect_peer({lt::make_address(peer.substr(0, colon)),
                         static_cast<std::uint16_t>(std::stoi(peer.substr(colon + 1)))});
  }

  [[nodiscard]] std::string address() const {
    return "127.0.0.1:" + std::to_string(session_->listen_port());
  }

  void wait_finished() {
    for (;;) {
      expect(session_->wait_for_alert(std::chrono::minutes(5)) != nullptr, "nothing came");
      std::vector<lt::alert*> alerts;
      session_->pop_alerts(&alerts);
      for (auto* const alert : alerts) {
        if (lt::alert_cast<lt::torrent_finished_alert>(alert) != nullptr) return;
        if (lt::alert_cast<lt::torrent_error_alert>(alert) != nullptr) fatal(alert->message());
      }
    }
  }

 private:
  const Torrent& torrent_;
  std::unique_ptr<lt::session> session_;
};

/// A file with the content, and its torrent where the other end finds it.
std::filesystem::path fill_file(const Options& options, const Torrent& torrent) {
  std::filesystem::create_directories(options.folder);
  auto path = options.folder / torrent.digest.to_string();
  std::ofstream file(path, std::ios::binary);
  make_content(options.size, [&](std::string_view bytes) { file << bytes; });
  write_torrent(options.torrent, torrent);
  return path;
}

void seed_plain(const Options& options) {
  const auto torrent = make_torrent(options.size);
  fill_file(options, torrent);
  Plain session(options, torrent);
  session.add(options.folder, true, "");
  say_ready(session.address());
  const Usage usage;
  wait_for_end();
  say_done(usage);
}

void fetch_plain(const Options& options) {
  const auto torrent = read_torrent(options.torrent);
  std::filesystem::create_directories(options.folder);
  Plain session(options, torrent);
  const Usage usage;
  session.add(options.folder, false, options.peer);
  session.wait_finished();
  say_done(usage);
}

void seed_tcp(const Options& options) {
  const auto file = fill_file(options, make_torrent(options.size));
  const auto [listener, address] = listen_on_loopback();
  say_ready(address.text);
  const Usage usage;
  send_file(listener, file);
  wait_for_end();
  say_done(usage);
}

void fetch_tcp(const Options& options) {
  std::filesystem::create_directories(options.folder);
  const Usage usage;
  receive_file(options.peer, options.folder / "received", options.size);
  say_done(usage);
}

/// How the content goes, and what either end does for it.
struct Way {
  void (*seed)(const Options&);
  void (*fetch)(const Options&);
};

const std::map<std::string, Way> kWays = {
    {"store", {seed_store, fetch_store}}, {"mmap", {seed_plain, fetch_plain}},
    {"posix", {seed_plain, fetch_plain}}, {"none", {seed_plain, fetch_plain}},
    {"swarm", {seed_node, fetch_node}},   {"https", {seed_node, fetch_node}},
    {"tcp", {seed_tcp, fetch_tcp}},
};

int run(int argc, char** argv) {
  Options options;
  CLI::App app("One end of a transfer");
  app.require_subcommand(1);
  for (const auto* name : {"seed", "fetch"}) {
    auto* const command = app.add_subcommand(name);
    command->add_option("--way", options.way)->check(CLI::IsMember(kWays));
    command->add_option("--folder", options.folder)->required();
    command->add_option("--torrent", options.torrent)->required();
    command->add_option("--size", options.size);
    command->add_option("--peer", options.peer);
  }
  CLI11_PARSE(app, argc, argv);
  spdlog::set_level(spdlog::level::off);  // Its lines would stand on stdout, between ours.
  const auto& way = kWays.at(options.way);
  app.got_subcommand("seed") ? way.seed(options) : way.fetch(options);
  return 0;
}

}  // namespace
}  // namespace shoal::bench

int main(int argc, char** argv) { return shoal::bench::run(argc, argv); }
